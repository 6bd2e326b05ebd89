"""Text of graphs: what is written reads back, and what cannot be read is said at its place."""

import re

import numpy as np
import pytest

from kerac.ir import (
    CompileError,
    FormatError,
    Graph,
    Origin,
    ShapeError,
    TensorType,
    evaluate_graph,
    origin_scope,
    parse,
    parse_functions,
    symbol,
)
from kerac.ir import ops as o
from tests.compare import assert_close
from tests.random_graphs import random_graph

N = symbol("N")


def roundtrip(graph: Graph) -> Graph:
    text = str(graph)
    again = parse(text)
    assert str(again) == text
    return again


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_read_back(seed: int) -> None:
    graph = random_graph(seed)
    again = roundtrip(graph)
    assert again.output_names == graph.output_names
    assert [value.type for value in again.values] == [value.type for value in graph.values]


def test_the_reader_is_liberal() -> None:
    graph = parse("def f(x: f32[N, 4]):\n  return relu(add(1, x)), add(x, x)")
    assert str(graph) == (
        "def f(x: f32[N, 4]):\n"
        "    add: f32[N, 4] = add(1.0, x)\n"
        "    relu: f32[N, 4] = relu(add)\n"
        "    add_1: f32[N, 4] = add(x, x)\n"
        '    return {"relu": relu, "add": add_1}\n'
    )


def test_a_list_among_attributes_is_a_tuple() -> None:
    graph = parse("def f(x: f32[N, 4]):\n  return reduce_sum(x, axes=[1])")
    assert graph.outputs[0].op.axes == (1,)


def test_optional_operands_are_written_by_name() -> None:
    text = (
        "def f(x: f32[N, 4], k: f32[4, 2], r: f32[N, 2]):\n"
        '    y: f32[N, 2] = dense(x, k, residual=r, activation="leaky_relu(negative_slope=0.1)")\n'
        "    return y\n"
    )
    graph = parse(text)
    assert str(graph) == text
    assert graph.outputs[0].inputs[2] is None


def test_called_graphs_are_written_before() -> None:
    text = (
        "def half(x: f32[B, 4]):\n"
        "    y: f32[B, 4] = multiply(x, 0.5)\n"
        "    z: f32[B, 4] = exp(y)\n"
        "    return y, z\n"
        "\n"
        "def f(x: f32[N, 4]):\n"
        "    both: (f32[N, 4], f32[N, 4]) = half(x)\n"
        "    y: f32[N, 4] = item(both, index=0)\n"
        "    z: f32[N, 4] = item(both, index=1)\n"
        "    w: f32[N, 4] = add(y, z)\n"
        "    return w\n"
    )
    graph = parse(text)
    assert str(graph) == text
    x = np.ones((3, 4), np.float32)
    assert_close(evaluate_graph(graph, [x])[0], x / 2 + np.exp(x / 2))
    assert list(parse_functions(text)) == ["half", "f"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dense/kernel:0", "dense_kernel_0"),
        ("1st", "_1st"),
        ("class", "class_"),
        ("größe", "gr__e"),
    ],
)
def test_any_name_becomes_an_identifier(name: str, shown: str) -> None:
    x = o.graph_input("x", TensorType("f32", (N, 2)))
    graph = Graph("f", (x,), (o.Relu()(x, name=name),), (name,))
    assert f"    {shown}: f32[N, 2] = relu(x)" in str(graph)
    assert roundtrip(graph).output_names == (name,)


def test_names_that_clash_are_numbered() -> None:
    x = o.graph_input("x", TensorType("f32", (N, 2)))
    y = o.Relu()(x, name="x")
    graph = Graph("f", (x,), (o.Exp()(y, name="x"), y))
    assert graph.output_names == ("x", "x_1")
    assert str(roundtrip(graph)).count("x_2") == 2


def test_origins_are_comments() -> None:
    x = o.graph_input("x", TensorType("f32", (N, 2)))
    with origin_scope(Origin(("a/dense_1", "b"), ("fuse_bias",))):
        y = o.Relu()(x)
    with origin_scope(Origin(passes=("fold",))):
        z = o.Relu()(y)
    graph = Graph("f", (x,), (z,))
    assert "  # a/dense_1 + b, by fuse_bias\n" in str(graph)
    assert [v.origin for v in roundtrip(graph).values] == [v.origin for v in graph.values]


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.5, -0.0, np.inf, -np.inf, np.nan, 1e-30], np.float32),
        np.array([[1, 2], [-3, 4]], np.int64),
        np.array([True, False]),
        np.array(0.1, np.float32),
        np.array(0.1, np.float64),
        np.array(7, np.uint8),
        np.zeros((0, 3), np.float32),
        np.array([65504, 1e-7], np.float16),
    ],
)
def test_small_constants_are_written_in_full(array: np.ndarray) -> None:
    constant = o.constant(array)
    graph = Graph("f", (), (constant,))
    read = roundtrip(graph).outputs[0].op.evaluate()
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype
    assert (np.signbit(read.astype(float)) == np.signbit(array.astype(float))).all()


def test_large_constants_are_written_by_digest() -> None:
    array = np.arange(20, dtype=np.float32)
    x = o.graph_input("x", TensorType("f32", (20,)))
    constant = o.constant(array)
    graph = Graph("f", (x,), (o.add(x, constant),))
    digest = constant.op.data.digest
    assert f'constant("#{digest}")' in str(graph)
    (result,) = evaluate_graph(parse(str(graph), {digest: array}), [array])
    np.testing.assert_array_equal(result, 2 * array)
    with pytest.raises(FormatError, match="not known"):
        evaluate_graph(parse(str(graph)), [array])


def test_numbers_stand_in_place_only_where_they_keep_their_dtype() -> None:
    x = o.graph_input("x", TensorType("i32", (N,)))
    flag = o.graph_input("flag", TensorType("bool", (N,)))
    graph = Graph(
        "f",
        (x, flag),
        (
            o.add(x, 3),
            o.select(flag, o.constant(1.0, "f32"), o.constant(2.0, "f32")),
            o.gather(o.constant([1.0, 2.0], "f32"), o.constant(1, "i64")),
        ),
        ("a", "b", "c"),
    )
    again = roundtrip(graph)
    assert [v.type for v in again.outputs] == [v.type for v in graph.outputs]


HEAD = "def f(x: f32[N, 4]):\n"
MISTAKES = {
    HEAD + "  y = reluu(x)\n  return y": "line 2: reluu is neither an op nor a function",
    HEAD + "  return y": "line 2: y is used, but not defined above",
    "def f(x):\n  return x": "line 1: input x needs a type",
    "def f(x: q32[4]):\n  return x": "`q32[4]` is not a type",
    HEAD + "  y = relu(x)": "f has no return",
    "x = 3": "line 1: expected a function, but found `x = 3`",
    "": "the text holds no function",
    "def f(x: f32[N, 4]:\n  return x": "line 1: ",
    HEAD + "  y = softmax(x)\n  return y": "line 2: softmax needs the attribute 'axis'",
    HEAD + "  y = softmax(x, axes=1)\n  return y": "line 2: softmax has no attribute 'axes'",
    HEAD + "  y = add(x)\n  return y": "line 2: add needs x, y, but got 1 operands",
    HEAD + "  y: f32[N, 5] = relu(x)\n  return y": (
        "line 2: y is declared f32[N, 5], but computes f32[N, 4]"
    ),
    HEAD + "  y = reshape(x, shape=(N, 3))\n  return y": (
        "line 2: reshape: x has 4*N elements, but shape f32[N, 3] has 3*N"
    ),
    HEAD + "  for y in x: pass\n  return x": "line 2: expected `name: type = op(...)`",
    HEAD + "  y = dense(x, x, activation='no')\n  return y": "line 2: 'no' is not an op",
    HEAD + "  k = parameter('k')\n  return k": "line 2: a constant or parameter needs a declared",
}


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_found_at_their_place(text: str) -> None:
    with pytest.raises(CompileError, match="^" + re.escape(MISTAKES[text])):
        parse(text)


def test_an_error_shows_the_line_and_points_at_it() -> None:
    with pytest.raises(ShapeError) as caught:
        parse("def f(x: f32[N, 4], y: f32[N, 5]):\n    z = add(x, y)\n    return z\n")
    assert str(caught.value) == (
        "line 2: add: axis -1 is 4 in one operand, but 5 in another\n"
        "    x:       f32[N, 4]\n"
        "    y:       f32[N, 5]\n"
        "        z = add(x, y)\n"
        "        ^"
    )
