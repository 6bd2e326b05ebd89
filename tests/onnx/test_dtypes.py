"""Integers, truth values and other floats: the same bits, or the same numbers, in ONNX Runtime."""

from __future__ import annotations

import onnx
import pytest

from kerac.backends.onnx import export_graph
from kerac.ir import Op, UnsupportedError, parse
from kerac.ir.ops import (
    Absolute,
    Add,
    BatchNorm,
    BroadcastTo,
    Cast,
    Concatenate,
    Dense,
    Elu,
    Equal,
    Gather,
    Gelu,
    GreaterEqual,
    LayerNorm,
    Less,
    Log1p,
    Matmul,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    NotEqual,
    Pad,
    Power,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProduct,
    ReduceSum,
    Repeat,
    Reshape,
    Reverse,
    Select,
    Selu,
    Slice,
    Softmax,
    Square,
    Subtract,
    Tanh,
    Transpose,
)
from tests.onnx.session import assert_same_as_reference
from tests.sample import Sample, tensor, weight

INTEGERS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
SIGNED = ("i8", "i16", "i32", "i64")
FLOATS = ("f16", "f64")


def check(op: Op, *types: str, low: float = 0, high: float = 9, tolerance: float = 1e-5) -> None:
    sample = Sample(op, tuple(tensor(type_, low, high) for type_ in types))
    assert_same_as_reference(sample.graph(), sample.arrays(), tolerance)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(
    "op", [Add(), Multiply(), Maximum(), Minimum(), Equal(), NotEqual(), Less(), GreaterEqual()]
)
def test_pairs_of_integers(op: Op, dtype: str) -> None:
    if dtype == "u64" and isinstance(op, Less | GreaterEqual):
        pytest.skip("ONNX Runtime does not compare u64")
    check(op, f"{dtype}[N, 7]", f"{dtype}[7]", low=0, high=100)


@pytest.mark.parametrize("dtype", SIGNED)
@pytest.mark.parametrize("op", [Negative(), Absolute(), Square()])
def test_single_integers(op: Op, dtype: str) -> None:
    check(op, f"{dtype}[N, 7]", low=-120, high=120)


@pytest.mark.parametrize("dtype", ["i8", "i32", "u8", "i64"])
@pytest.mark.parametrize("op", [Power(), Subtract()])
def test_integers_wrap_around(op: Op, dtype: str) -> None:
    check(op, f"{dtype}[N, 7]", f"{dtype}[7]", high=4)


@pytest.mark.parametrize("dtype", ["i8", "i32", "i64", "u8", "u32"])
@pytest.mark.parametrize("kind", [ReduceSum, ReduceMax, ReduceMin, ReduceProduct])
def test_reductions_of_integers(kind: type, dtype: str) -> None:
    check(kind((1,)), f"{dtype}[N, 5]")


@pytest.mark.parametrize("kind", [ReduceSum, ReduceMax, ReduceMin, ReduceProduct])
def test_any_and_all(kind: type) -> None:
    check(kind((1,), True), "bool[N, 2]")


@pytest.mark.parametrize("op", [Add(), Multiply(), Maximum(), Minimum(), Equal(), Less()])
def test_pairs_of_truth_values(op: Op) -> None:
    check(op, "bool[N, 7]", "bool[7]")


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS[:-1], *FLOATS])
def test_choices(dtype: str) -> None:
    check(Select(), "bool[N, 7]", f"{dtype}[7]", f"{dtype}[N, 1]")


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS])
@pytest.mark.parametrize(
    "op",
    [
        Reshape((15,)),
        Transpose((1, 0)),
        BroadcastTo((2, 3, 5)),
        Slice((0, 1), (3, 5), (1, 2)),
        Reverse((0, 1)),
        Repeat(1, 3),
        Concatenate(0),
    ],
)
def test_movement(op: Op, dtype: str) -> None:
    check(op, *[f"{dtype}[3, 5]"] * (2 if isinstance(op, Concatenate) else 1))


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS[:-1], *FLOATS])
def test_padding(dtype: str) -> None:
    check(Pad(((1, 0), (0, 2)), 1.0), f"{dtype}[3, 5]")


@pytest.mark.parametrize("indices", INTEGERS)
def test_indices(indices: str) -> None:
    check(Gather(), "f32[5, 2]", f"{indices}[N, 3]", high=120)
    check(Gather(), "f32[N, 2]", f"{indices}[4]", high=120)
    if indices in SIGNED:
        check(Gather(), "i16[5, 2]", f"{indices}[N, 3]", low=-9)


@pytest.mark.parametrize("dtype", ["i8", "u8", "i32", "i64"])
def test_products_of_integers(dtype: str) -> None:
    check(Matmul(), f"{dtype}[3, 5]", f"{dtype}[5, 4]", high=3)
    check(Dense(), f"{dtype}[N, 5]", f"{dtype}[5, 4]", f"{dtype}[4]", high=3)


@pytest.mark.parametrize("to", ["bool", *INTEGERS, *FLOATS])
@pytest.mark.parametrize("source", ["bool", *INTEGERS, "f32", *FLOATS])
def test_conversions(source: str, to: str) -> None:
    check(Cast(to), f"{source}[N, 9]", high=100)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "op",
    [Tanh(), Selu(), Elu(0.3), Log1p(), Softmax(1), ReduceMean((1,)), LayerNorm((1,)), Square()],
)
def test_other_floats(op: Op, dtype: str) -> None:
    check(op, f"{dtype}[N, 7]", tolerance=1e-14 if dtype == "f64" else 3e-3)


@pytest.mark.parametrize("axis", [1, 2])
def test_batch_norm_of_f64(axis: int) -> None:
    statistics = (weight("f64[3]", 0.1), weight("f64[3]", 0.1), weight("f64[3]"))
    sample = Sample(BatchNorm(axis), (tensor("f64[N, 3, 3]"), *statistics))
    assert_same_as_reference(sample.graph(), sample.arrays(), 1e-14)


def test_bfloat16() -> None:
    graph = parse("def f(x: bf16[N, 3], k: bf16[3, 2]):\n    return gelu(dense(x, k))\n")
    with pytest.raises(UnsupportedError, match="x is bf16, but opset 17"):
        export_graph(graph, opset=17)
    model = export_graph(graph)
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16


def test_f64_that_runtimes_lack_is_valid() -> None:
    sample = Sample(Gelu(), (tensor("f64[N, 3]"),))
    assert {node.op_type for node in export_graph(sample.graph()).graph.node} == {
        "Mul",
        "Erf",
        "Add",
    }
