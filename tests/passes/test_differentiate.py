"""Gradients against finite differences, for every op and all variants of it in the samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import kerac
from kerac.ir import REGISTRY, Graph, Op, ShapeError, Value, evaluate_graph, ops, parse, verify
from kerac.ir.gradients import WITHOUT_GRADIENT
from kerac.ir.gradients.registry import find_gradient
from kerac.ir.ops import Call, CustomGradient, Length, StopGradient
from kerac.passes.check import random_inputs
from kerac.passes.differentiate import gradients
from kerac.passes.inline_calls import InlineCalls
from tests.compare import assert_close
from tests.sample import Operand, Sample
from tests.samples import SAMPLES

STEP = 1e-6


def calls(sample: Sample | Operand | None) -> bool:
    """Whether a graph is called, which is in f32."""
    return isinstance(sample, Sample) and (
        isinstance(sample.op, Call) or any(map(calls, sample.operands))
    )


def in_double(sample: Sample) -> Sample:
    """The sample in f64, without the special numbers, at which many functions have kinks."""

    def change(operand: Operand | Sample | None) -> Operand | Sample | None:
        if isinstance(operand, Sample):
            return in_double(operand)
        if operand is None or not operand.type.is_float:
            return operand
        return replace(operand, type=operand.type.with_dtype("f64"), special=())

    op = replace(sample.op, dtype="f64") if isinstance(sample.op, Length) else sample.op
    return replace(sample, op=op, operands=tuple(map(change, sample.operands)))


def weighted_sum(graph: Graph, seed: int = 5) -> tuple[Value, list[Value]]:
    """The sum of all float outputs, each times numbers that are inputs of their own."""
    total: Value = ops.constant(0.0, "f64")
    weights = []
    for place, output in enumerate(graph.outputs):
        if output.tensor_type.is_float:
            weights.append(ops.graph_input(f"weight{place}", output.tensor_type))
            product = ops.multiply(output, weights[-1])
            total = ops.add(total, ops.reduce_sum(product, tuple(range(output.ndim))))
    return total, weights


def with_gradients(graph: Graph) -> tuple[Graph, list[int]]:
    """The weighted sum and its gradients; numbers of the inputs that have one."""
    total, weights = weighted_sum(graph)
    places = [i for i, value in enumerate(graph.inputs) if value.tensor_type.is_float]
    found = gradients(total, [graph.inputs[place] for place in places])
    return Graph("gradients", (*graph.inputs, *weights), (total, *found)), places


def random_weights(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    outputs = evaluate_graph(graph, arrays)
    return [generator.normal(size=a.shape).astype(a.dtype) for a in outputs if a.dtype.kind == "f"]


def is_differentiable(sample: Sample) -> bool:
    """Whether the gradients of a sample are slopes, and in f64, so that differences show them."""
    op = type(sample.op)
    by_parts = op.decompose is not Op.decompose and op not in WITHOUT_GRADIENT
    return (
        (find_gradient(op) is not None or by_parts)
        and op not in (CustomGradient, StopGradient)
        and not calls(sample)
        and any(value.tensor_type.is_float for value in sample.graph(True).inputs)
    )


DIFFERENTIABLE = [sample for sample in SAMPLES if is_differentiable(sample)]


@pytest.mark.parametrize("text_name", sorted(REGISTRY))
def test_every_op_has_a_gradient_or_a_reason_why_not(text_name: str) -> None:
    op = REGISTRY[text_name]
    by_parts = op.decompose is not Op.decompose
    assert find_gradient(op) is not None or by_parts or op in WITHOUT_GRADIENT


@pytest.mark.parametrize("sample", DIFFERENTIABLE, ids=lambda sample: sample.name)
def test_gradients_are_those_of_finite_differences(sample: Sample) -> None:
    double = in_double(sample)
    graph, arrays = double.graph(True), double.arrays(True)
    whole, places = with_gradients(graph)
    verify(whole)
    weights = random_weights(graph, arrays)
    _, *found = evaluate_graph(whole, [*arrays, *weights])
    generator = np.random.default_rng(9)
    for place, gradient in zip(places, found, strict=True):
        direction = generator.normal(size=arrays[place].shape)
        ends = []
        for sign in (1, -1):
            moved = list(arrays)
            moved[place] = arrays[place] + sign * STEP * direction
            ends.append(float(evaluate_graph(whole, [*moved, *weights])[0]))
        expected = (ends[0] - ends[1]) / (2 * STEP)
        scale = np.abs(gradient * direction).sum() + 1e-3
        assert abs((gradient * direction).sum() - expected) <= 1e-6 * scale


@pytest.mark.parametrize("line", ["attention(x, x, x, scale=0.5, causal=True)", "product(x, x)"])
def test_a_value_at_several_places(line: str) -> None:
    graph = parse(f"""
def product(x: f64[2, 3, 2, 4], y: f64[2, 3, 2, 4]):
    return multiply(x, tanh(y))
def itself(x: f64[2, 3, 2, 4]):
    y = {line}
    return y
""")
    whole, _ = with_gradients(graph)
    generator = np.random.default_rng(0)
    x, direction, weights = (generator.normal(size=(2, 3, 2, 4)) for _ in range(3))
    _, gradient = evaluate_graph(whole, [x, weights])
    ends = [evaluate_graph(whole, [x + s * STEP * direction, weights])[0] for s in (1, -1)]
    expected = (ends[0] - ends[1]) / (2 * STEP)
    assert abs((gradient * direction).sum() - expected) < 1e-6 * abs(expected)


def test_gradients_flow_through_calls() -> None:
    text = """
def scaled(x: f32[N, 3], w: f32[3]):
    return tanh(multiply(x, w)), reduce_sum(x, axes=(1,))
def twice(x: f32[M, 3], w: f32[3]):
    pair = scaled(x, w)
    y = multiply(item(pair, index=0), reshape(item(pair, index=1), shape=(M, 1)))
    return reduce_mean(y, axes=(0, 1))
"""
    called = parse(text)
    inlined = InlineCalls()(called)
    arrays = random_inputs(called)
    results = [
        evaluate_graph(Graph("g", g.inputs, tuple(gradients(g.outputs[0], g.inputs))), arrays)
        for g in (called, inlined)
    ]
    for one, other in zip(*results, strict=True):
        assert_close(one, other)


def test_what_nothing_depends_on_has_a_gradient_of_zero() -> None:
    graph = parse(
        "def f(x: f32[N, 3], y: f32[N]):\n"
        "    return reduce_sum(multiply(stop_gradient(x), x), axes=(0, 1))\n"
    )
    found = Graph("g", graph.inputs, tuple(gradients(graph.outputs[0], graph.inputs)))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    to_x, to_y = evaluate_graph(found, [x, np.ones(2, np.float32)])
    np.testing.assert_array_equal(to_x, x)
    np.testing.assert_array_equal(to_y, np.zeros(2, np.float32))


@pytest.mark.parametrize(("output", "wrt"), [("f32[N]", "f32"), ("i32", "f32"), ("f32", "i32[N]")])
def test_only_scalars_of_floats_have_gradients(output: str, wrt: str) -> None:
    graph = parse(f"def f(x: {output}, y: {wrt}):\n    return x\n")
    with pytest.raises(ShapeError, match=r"gradients are those of|only floats have"):
        gradients(graph.inputs[0], [graph.inputs[1]])


@pytest.mark.parametrize("entry", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
def test_an_lstm_that_keeps_its_gates_has_the_same_gradients(reverse: bool, entry: bool) -> None:
    graph = parse(f"""
def f(x: f64[N, 4, 3], k: f64[3, 20], r: f64[5, 20], b: f64[20], s: f64[N, 5], c: f64[N, 5],
      m: bool[N, 4]):
    y = lstm(x, k, r, bias=b, initial_state=s, initial_cell=c, mask=m, reverse={reverse})
    return item(y, index=0), item(y, index=1), item(y, index=2)
""")
    (whole,) = (value for value in graph.values if isinstance(value.op, ops.LSTM))
    arrays = random_inputs(graph)
    found = []
    for op in (whole.op, replace(whole.op, keep_gates=True)):
        results = op(*whole.inputs)
        outputs = [ops.item(results, place) for place in range(0 if entry else 1, 3)]
        chosen = Graph("f", graph.inputs, tuple(outputs))
        other, places = with_gradients(chosen)
        weights = random_weights(chosen, arrays)
        found.append(evaluate_graph(other, [*arrays, *weights]))
        assert len(places) == 6
    for one, same in zip(*found, strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-12, atol=1e-13)

FREE_SIZES = [
    'convolution(x, k, strides=(2, 3), padding="same")',
    'convolution(x, k, strides=(4, 5), padding="same")',
    'convolution(x, k, strides=(2, 3), dilation=(2, 2), padding="same")',
    'convolution(x, d, strides=(3, 1), padding="same", groups=4)',
    'max_pool(x, window=(3, 2), strides=(2, 3), padding="same")',
    'average_pool(x, window=(2, 3), strides=(3, 2), padding="same")',
]


@pytest.mark.parametrize("line", FREE_SIZES)
def test_gradients_where_padding_depends_on_the_size(line: str) -> None:
    def made(height: str, width: str) -> Graph:
        graph = parse(f"""
def f(x: f64[N, {height}, {width}, 4], k: f64[3, 2, 4, 5], d: f64[3, 2, 1, 4]):
    return tanh({line})
""")
        (y,) = graph.outputs
        total = ops.reduce_sum(ops.multiply(y, y), tuple(range(y.ndim)))
        return Graph("back", graph.inputs, tuple(gradients(total, graph.inputs)))

    free = made("H", "W")
    native = kerac.compile(free)
    for height, width in [(7, 8), (8, 9), (9, 7), (6, 11), (5, 5)]:
        fixed = made(str(height), str(width))
        arrays = random_inputs(fixed)
        expected = evaluate_graph(fixed, arrays)
        for found in (evaluate_graph(free, arrays), native(*arrays)):
            for one, other in zip(found, expected, strict=True):
                assert_close(one, other, 1e-10)
