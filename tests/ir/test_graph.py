"""Graphs, the verifier, the interpreter, and how ops say that operands do not fit."""

import dataclasses

import numpy as np
import pytest

from kerac.ir import (
    Graph,
    InternalError,
    Origin,
    ShapeError,
    TensorType,
    Value,
    evaluate_graph,
    evaluate_values,
    origin_scope,
    parse,
    symbol,
    verify,
)
from kerac.ir import ops as o
from tests.random_graphs import random_graph

N = symbol("N")
X = TensorType("f32", (N, 4))


def test_values_stand_after_their_operands() -> None:
    graph = random_graph(5, steps=60)
    places = {value: place for place, value in enumerate(graph.values)}
    assert all(places[v] < places[value] for value in graph.values for v in value.operands)


def test_a_graph_may_be_deeper_than_the_stack() -> None:
    x = value = o.graph_input("x", X)
    for _ in range(5000):
        value = o.Relu()(value)
    graph = Graph("deep", (x,), (value,))
    assert len(graph.values) == 5001
    verify(graph)


def test_uses_count_outputs() -> None:
    graph = parse("def f(x: f32[N, 4]):\n  y = relu(x)\n  z = add(y, y)\n  return y, z")
    x, y, z = graph.values
    assert (graph.uses[x], graph.uses[y], graph.uses[z]) == (1, 3, 1)
    assert graph.consumers[y] == (z, z)


def test_values_that_nothing_reaches_are_not_part_of_a_graph() -> None:
    graph = parse("def f(x: f32[N, 4], y: f32[N, 4]):\n  z = relu(y)\n  return x")
    assert [value.name for value in graph.values] == ["x", "y"]


def test_symbols_stand_in_order_of_the_inputs() -> None:
    graph = parse("def f(x: f32[N, T], y: f32[2*H, N]):\n  return x, y")
    assert graph.symbols == ("N", "T", "H")


def test_networkx_sees_every_use() -> None:
    graph = random_graph(3)
    other = graph.to_networkx()
    assert set(other) == set(graph.values)
    assert other.number_of_edges() == sum(len(value.operands) for value in graph.values)


def test_a_graph_needs_a_name_an_output() -> None:
    x = o.graph_input("x", X)
    with pytest.raises(InternalError, match="1 outputs, but 2 output names"):
        Graph("f", (x,), (x,), ("a", "b"))


def test_origins_unite_in_order() -> None:
    a, b = Origin(("x", "y"), ("p",)), Origin(("y", "z"), ("p", "q"))
    assert a | b == Origin(("x", "y", "z"), ("p", "q"))


def test_the_verifier_finds_a_wrong_type() -> None:
    x = o.graph_input("x", X)
    wrong = Value(o.Relu(), (x,), TensorType("f32", (N, 5)), "y", Origin(("layer",)))
    graph = Graph("f", (x,), (o.Exp()(wrong),))
    with pytest.raises(InternalError, match="y is f32") as caught:
        verify(graph, after="a_pass")
    assert "f after a_pass: y is f32[N, 5], but relu infers f32[N, 4]" in str(caught.value)
    assert "> y: f32[N, 5] = relu(x)" in str(caught.value)


def test_the_verifier_finds_an_input_of_another_graph() -> None:
    x, other = o.graph_input("x", X), o.graph_input("other", X)
    with pytest.raises(InternalError, match="other is an input of another graph"):
        verify(Graph("f", (x,), (o.add(x, other),)))


def test_the_verifier_looks_into_called_graphs() -> None:
    x = o.graph_input("x", X)
    wrong = Value(o.Relu(), (x,), TensorType("f64", (N, 4)))
    inner = Graph("inner", (x,), (wrong,))
    y = o.graph_input("y", X)
    with pytest.raises(InternalError, match="inner"):
        verify(Graph("outer", (y,), (o.call(inner, y),)))


def test_the_interpreter_checks_inputs() -> None:
    graph = parse("def f(x: f32[N, 4], y: f32[N, 2]):\n  return x, y")
    good = [np.zeros((3, 4), np.float32), np.zeros((3, 2), np.float32)]
    assert len(evaluate_graph(graph, good)) == 2
    with pytest.raises(ShapeError, match=r"input y is f32\[N, 2\], but f32\[5, 2\] was given"):
        evaluate_graph(graph, [good[0], np.zeros((5, 2), np.float32)])
    with pytest.raises(ShapeError, match=r"input x is f32\[N, 4\], but f64\[3, 4\] was given"):
        evaluate_graph(graph, [good[0].astype(np.float64), good[1]])
    with pytest.raises(ShapeError, match="f takes 2 inputs, but got 1"):
        evaluate_graph(graph, good[:1])


def test_the_interpreter_checks_that_types_and_numbers_agree() -> None:
    x = o.graph_input("x", X)
    wrong = Value(o.Relu(), (x,), TensorType("f32", (N, 5)), "y")
    with pytest.raises(
        InternalError, match=r"relu \(y\) infers f32\[3, 5\], but evaluates to f32\[3, 4\]"
    ):
        evaluate_values(Graph("f", (x,), (wrong,)), [np.zeros((3, 4), np.float32)])


def test_ops_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        o.Softmax(1).axis = 2


def test_an_error_names_op_operands_and_layer() -> None:
    x = o.graph_input("x", TensorType("f32", (N, 28, 28, 1)))
    kernel = o.parameter("conv2d_1/kernel", np.zeros((3, 3, 3, 8), np.float32))
    with pytest.raises(ShapeError) as caught, origin_scope(Origin(("conv2d_1",))):
        o.Convolution()(x, kernel)
    assert str(caught.value) == (
        "convolution: kernel reads 3 channels, but x has 1\n"
        "    x:       f32[N, 28, 28, 1]\n"
        "    kernel:  f32[3, 3, 3, 8]\n"
        '    in layer "conv2d_1"'
    )


MISFITS = [
    ("dense(x, k)", "x: f32[N, 4], k: f32[5, 2]", "kernel has 5 rows, but the last axis of x is 4"),
    ("dense(x, k, bias=b)", "x: f32[N, 4], k: f32[4, 2], b: f32[3]", r"bias must be f32\[2\]"),
    ("matmul(x, k)", "x: f32[2, 3, 4], k: f32[3, 4, 5]", "batch axes"),
    ("softmax(x, axis=2)", "x: f32[N, 4]", "axis 2 does not exist; there are 2 axes"),
    ("reduce_sum(x, axes=(1, 0))", "x: f32[N, 4]", "must be ascending and different"),
    ("transpose(x, permutation=(0, 0))", "x: f32[N, 4]", "does not name each of 2 axes once"),
    ("broadcast_to(x, shape=(N, 5))", "x: f32[N, 4]", "is 4 in one operand, but 5 in another"),
    (
        "slice(x, start=(0, 1), stop=(N, 6))",
        "x: f32[N, 4]",
        "1:6:1 is not a part of axis 1 of length 4",
    ),
    ("pad(x, padding=((0, 0), (-1, 0)))", "x: f32[N, 4]", "is negative"),
    ("concatenate(x, y, axis=1)", "x: f32[N, 4], y: f32[3, 4]", "differ in more than axis 1"),
    ("gather(x, y)", "x: f32[N, 4], y: f32[3]", "indices must be integers, but are f32"),
    ("add(x, y)", "x: f32[N, 4], y: i32[N, 4]", "x is f32, but y is i32"),
    ("exp(x)", "x: i32[N, 4]", "x must be floating point, but is i32"),
    ("logical_and(x, x)", "x: f32[N, 4]", "operands must be bool"),
    ("select(x, x, x)", "x: f32[N, 4]", "needs bool and twice the same dtype"),
    ("convolution(x, k)", "x: f32[N, 4, 4, 3], k: f32[5, 5, 3, 8]", "the window covers 5 elements"),
    (
        "convolution(x, k, groups=2)",
        "x: f32[N, 4, 4, 4], k: f32[1, 1, 2, 3]",
        "do not divide into 2",
    ),
    (
        'convolution(x, k, padding="some")',
        "x: f32[N, 4, 4, 4], k: f32[1, 1, 4, 3]",
        "padding must be",
    ),
    ("max_pool(x, window=(2,), strides=(2, 2))", "x: f32[N, 4, 4, 4]", "window must be 2 positive"),
    (
        "batch_norm(x, m, m, axis=1)",
        "x: f32[N, 4], m: f32[3]",
        r"mean must be f32\[4\], but is f32\[3\]",
    ),
    (
        "lstm(x, k, r)",
        "x: f32[N, T, 4], k: f32[4, 8], r: f32[3, 12]",
        r"kernel must be f32\[4, 12\]",
    ),
    ("reshape(x, shape=(N, 5))", "x: f32[N, 4]", r"x has 4\*N elements"),
    ("item(x, index=0)", "x: f32[N, 4]", "result 0 is asked for, but there are 1"),
    ("dropout(x, rate=1.5)", "x: f32[N, 4]", "rate must lie between 0 and 1"),
]


@pytest.mark.parametrize(("call", "inputs", "fact"), MISFITS, ids=[row[0] for row in MISFITS])
def test_operands_that_do_not_fit_are_refused(call: str, inputs: str, fact: str) -> None:
    with pytest.raises(ShapeError, match=fact):
        parse(f"def f({inputs}):\n  return {call}")
