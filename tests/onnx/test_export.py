"""What an exported model looks like, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from kerac.backends.onnx import export_graph, newest_opset
from kerac.ir import Graph, InternalError, UnsupportedError, evaluate_graph, parse
from kerac.ir.op import REGISTRY, Op
from kerac.ir.types import TensorType
from tests.onnx.session import assert_same_as_reference, run

MODEL = """
def digits(image: f32[N, 4, 4, 1]):
    kernel: f32[3, 3, 1, 2] = parameter("block/stem/kernel")
    dense_kernel: f32[8, 3] = parameter("head/kernel")
    bias: f32[3] = parameter("head/bias")
    stem = convolution(image, kernel, activation="relu")  # block/stem
    flat = reshape(stem, shape=(N, 8))  # flatten
    head = dense(flat, dense_kernel, bias=bias)  # head + softmax, by fuse_activation
    probabilities = softmax(head, axis=1)  # softmax
    return {"digit": probabilities}
"""
SHAPES = {"block/stem/kernel": (3, 3, 1, 2), "head/kernel": (8, 3), "head/bias": (3,)}


def digits() -> Graph:
    random = np.random.default_rng(0)
    return parse(MODEL, {path: random.normal(size=s).astype("f4") for path, s in SHAPES.items()})


def test_names_come_from_layers_and_parameters() -> None:
    model = export_graph(digits())
    nodes = {node.name: node for node in model.graph.node}
    assert {"stem", "stem/Conv", "flat", "head", "digit"} <= set(nodes)
    assert nodes["stem"].doc_string == "block/stem"
    assert nodes["head"].doc_string == "head + softmax, by fuse_activation"
    assert set(SHAPES) <= {tensor.name for tensor in model.graph.initializer}
    assert [entry.name for entry in model.graph.input] == ["image"]
    assert [entry.name for entry in model.graph.output] == ["digit"]


def test_model_says_who_made_it() -> None:
    model = export_graph(digits(), metadata={"source": "digits.keras"})
    assert model.producer_name == "kerac"
    assert model.producer_version
    assert model.graph.name == "digits"
    assert {entry.key: entry.value for entry in model.metadata_props} == {"source": "digits.keras"}


def test_batch_stays_dynamic() -> None:
    model = export_graph(digits())
    dims = [
        entry.type.tensor_type.shape.dim[0] for entry in (*model.graph.input, *model.graph.output)
    ]
    assert [dim.dim_param for dim in dims] == ["N", "N"]
    for batch in (1, 5):
        x = np.ones((batch, 4, 4, 1), np.float32)
        assert run(model, [x])[0].shape == (batch, 3)


def test_types_of_inner_tensors_are_stated() -> None:
    shapes = {
        entry.name: [dim.dim_param or dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        for entry in export_graph(digits()).graph.value_info
    }
    assert shapes["stem"] == ["N", 2, 2, 2]
    assert shapes["flat"] == ["N", 8]


def test_names_never_clash() -> None:
    graph = parse(
        """
def f(x: f32[3], y: f32[3]):
    parameter_x: f32[3] = parameter("x")
    sum = add(x, parameter_x)
    product = multiply(sum, y)
    return {"y": sum, "sum": product, "constant": sum}
""",
        {"x": np.float32([1, 2, 3])},
    )
    model = assert_same_as_reference(graph, [np.float32([4, 5, 6]), np.float32([7, 8, 9])])
    assert [entry.name for entry in model.graph.input] == ["x", "y"]
    assert [entry.name for entry in model.graph.output] == ["y_1", "sum", "constant"]


def test_outputs_that_are_inputs_or_constants_or_twice_the_same() -> None:
    graph = parse(
        """
def f(x: f32[N, 2]):
    c: f32[2] = constant([1.0, 2.0])
    y = dropout(x, rate=0.5)
    z = relu(x)
    return {"a": x, "b": c, "c": y, "d": z, "e": z}
"""
    )
    model = assert_same_as_reference(graph, [np.float32([[1, -2]])])
    assert [entry.name for entry in model.graph.output] == ["a", "b", "c", "d", "e"]


def test_unused_input_stays_and_dead_value_goes() -> None:
    graph = parse("def f(x: f32[N], y: f32[N]):\n    dead = exp(y)\n    return relu(x)\n")
    model = assert_same_as_reference(graph, [np.float32([1]), np.float32([2])])
    assert [entry.name for entry in model.graph.input] == ["x", "y"]
    assert len(model.graph.node) == 1


def test_nested_calls_with_other_symbols() -> None:
    graph = parse(
        """
def inner(x: f32[B, S, 4]):
    flat = reshape(x, shape=(B*S, 4))
    return relu(flat), slice(x, start=(0, S - 1, 0), stop=(B, S, 4))

def middle(x: f32[M, 6, 4]):
    pair = inner(x)
    return add(item(pair, index=0), 1.0), item(pair, index=1)

def outer(x: f32[N, 6, 4], y: f32[2, 6, 4]):
    one = middle(x)
    other = middle(y)
    return item(one, index=0), item(one, index=1), item(other, index=0)
"""
    )
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(n, 6, 4)).astype(np.float32) for n in (3, 2)]
    assert_same_as_reference(graph, arrays)


@pytest.mark.parametrize("opset", [13, 14, 15, 21])
def test_arithmetic_on_dimensions(opset: int) -> None:
    graph = parse(
        """
def f(x: f32[N, T, 6], y: f32[T, K]):
    halves = slice(x, start=(0, (T + 1)//2 - 1, 0), stop=(N, T, 6), step=(1, 2, 1))
    wide = broadcast_to(reshape(y, shape=(1, T, K)), shape=(N, T, K))
    merged = reshape(x, shape=(2*N*T, 3))
    both = reshape(concatenate(x, wide, axis=2), shape=(T, N*(K + 6)))
    less = slice(x, start=(0, 0, 0), stop=(N, T//3, 6))
    ordered = sparsemax(y, axis=0)
    return halves, wide, merged, both, less, ordered
"""
    )
    random = np.random.default_rng(0)
    for n, t, k in ((1, 3, 1), (2, 8, 5), (3, 5, 4)):
        arrays = [random.normal(size=shape).astype(np.float32) for shape in ((n, t, 6), (t, k))]
        assert_same_as_reference(graph, arrays, opset=opset)


def test_empty_tensors() -> None:
    graph = parse(
        "def f(x: f32[N, 0, 4]):\n    y = reshape(x, shape=(0, N*2))\n    return y, relu(x)\n"
    )
    assert_same_as_reference(graph, [np.zeros((2, 0, 4), np.float32)])


def test_every_newer_opset_is_valid() -> None:
    for opset in range(13, newest_opset() + 1):
        assert export_graph(digits(), opset=opset).opset_import[0].version == opset


@pytest.mark.parametrize("opset", [12, 1000])
def test_opsets_that_cannot_be_written(opset: int) -> None:
    with pytest.raises(UnsupportedError, match=f"opset {opset} is asked for, but 13 to"):
        export_graph(digits(), opset=opset)


def test_dimension_that_no_input_has() -> None:
    graph = parse("def f(x: f32[2*N, 3]):\n    return reshape(x, shape=(N, 2, 3))\n")
    # N is what is left, so that nothing needs to know it
    assert export_graph(graph).graph.output[0].name
    graph = parse(
        "def f(x: f32[2*N, 3]):\n    y = slice(x, start=(0, 0), stop=(N, 3))\n    return y\n"
    )
    with pytest.raises(UnsupportedError, match="dimension N is needed, but no axis"):
        export_graph(graph)


def test_all_unsupported_ops_are_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strange(Op):
        def infer(self, x: TensorType) -> TensorType:
            return x

    class Stranger(Op):
        def infer(self, x: TensorType) -> TensorType:
            return x

    monkeypatch.delitem(REGISTRY, "strange")
    monkeypatch.delitem(REGISTRY, "stranger")
    x = digits().inputs[0]
    graph = Graph("odd", (x,), (Stranger()(Strange()(x, name="first"), name="second"),))
    with pytest.raises(UnsupportedError, match="strange, stranger") as caught:
        export_graph(graph)
    assert "first: there is no exporter" in str(caught.value)
    assert "second: there is no exporter" in str(caught.value)


def test_composite_op_without_exporter_is_decomposed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Triple(Op):
        def infer(self, x: TensorType) -> TensorType:
            return x

        def evaluate(self, x: np.ndarray) -> np.ndarray:
            return x * np.float32(3)

        def decompose(self, x):  # type: ignore[no-untyped-def]
            from kerac.ir.ops import add

            return add(x, add(x, x))

    monkeypatch.delitem(REGISTRY, "triple")
    x = digits().inputs[0]
    array = np.ones((2, 4, 4, 1), np.float32)
    assert_same_as_reference(Graph("composite", (x,), (Triple()(x),)), [array])


def test_invalid_model_is_our_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    from kerac.backends.onnx import elementwise

    monkeypatch.setitem(elementwise.COMPARISONS, REGISTRY["less"], "And")
    graph = parse("def f(x: f32[3]):\n    return less(x, 0.0)\n")
    with pytest.raises(InternalError, match="the ONNX model of f is not valid"):
        export_graph(graph)


def test_weights_without_values_are_refused() -> None:
    with pytest.raises(ValueError, match="are not known"):
        export_graph(parse(MODEL))


def test_deep_graph() -> None:
    lines = "\n".join(f"    x{i} = add(x{i - 1}, 1.0)" for i in range(1, 3000))
    graph = parse(f"def deep(x0: f32[N]):\n{lines}\n    return x2999\n")
    (result,) = run(export_graph(graph), [np.zeros(2, np.float32)])
    np.testing.assert_array_equal(result, evaluate_graph(graph, [np.zeros(2, np.float32)])[0])


def test_models_are_the_same_every_time() -> None:
    texts = [onnx.printer.to_text(export_graph(digits())) for _ in range(2)]
    assert texts[0] == texts[1]
