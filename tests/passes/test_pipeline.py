"""The run of a pipeline: its trace, its options, its checks."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from kerac.ir import Graph, InternalError, Value, evaluate_graph, parse
from kerac.ir import ops as o
from kerac.passes import PASSES, Pass, run_pipeline
from kerac.passes.check import random_inputs
from kerac.passes.fold_batch_norm import FoldBatchNorm
from kerac.passes.fold_constants import FoldConstants
from kerac.passes.fuse_activation import FuseActivation
from kerac.passes.rewrite import Uses
from kerac.passes.simplify_algebra import SimplifyAlgebra

TEXT = """
def f(x: f32[N, 4]):
    kernel: f32[4, 3] = constant("#k")  # fc
    y = dense(x, kernel)                # fc
    z = relu(y)                         # act
    w = add(softmax(z, axis=1), z)
    return w
"""


def graph() -> Graph:
    return parse(TEXT, {"k": np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)})


def drop_relu(value: Value, uses: Uses) -> Value | None:
    """Wrong on purpose."""
    match value:
        case Value(o.Relu(), (Value(o.Dense()) as x,)):
            return o.Dense()(*x.inputs)
    return None


@dataclass(frozen=True)
class DropRelu(Pass):
    """Wrong on purpose."""

    rules = (drop_relu,)


@dataclass(frozen=True)
class ForgetOutput(Pass):
    """Wrong on purpose."""

    def apply(self, graph: Graph, changes: Counter[str]) -> Graph:
        return Graph(graph.name, graph.inputs, graph.outputs, ("other",))


def test_the_trace_holds_every_pass() -> None:
    source = graph()
    trace = run_pipeline(source)
    assert [record.name for record in trace.records] == [step.name for step in PASSES]
    assert trace.source is source
    assert trace.records[0].before is source
    for one, other in zip(trace.records, trace.records[1:], strict=False):
        assert one.after is other.before
    assert trace.graph is trace.records[-1].after
    record = trace["fuse_activation"]
    assert record.changed
    assert record.changes == {"fuse_activation": 1}
    assert record.description == "fuse_activation 1"
    assert record.values_before - record.values_after == 1
    assert trace.changes["fuse_activation"] == 1
    assert trace.seconds >= record.seconds > 0


def test_a_trace_takes_plans_of_a_backend() -> None:
    trace = run_pipeline(graph(), ())
    trace.plans["memory"] = [1, 2]
    assert trace.plans == {"memory": [1, 2]}
    assert trace.graph is trace.source
    with pytest.raises(KeyError, match="no pass fuse_bias ran"):
        trace["fuse_bias"]


def test_options_are_recorded() -> None:
    trace = run_pipeline(graph(), (FoldConstants(limit=7), SimplifyAlgebra(exact=True)))
    assert trace["fold_constants"].options == {"limit": 7}
    assert trace["simplify_algebra"].options == {"exact": True}


def test_passes_are_announced() -> None:
    names: list[str] = []
    run_pipeline(graph(), on_pass=names.append)
    assert names == [step.name for step in PASSES]


def test_a_pass_is_a_function_of_a_graph() -> None:
    assert FuseActivation()(graph()).values[2].op == o.Dense(o.Relu())


def test_a_wrong_pass_is_caught_and_named() -> None:
    with pytest.raises(InternalError) as caught:
        run_pipeline(graph(), (FoldConstants(), DropRelu()), check=True)
    message = str(caught.value)
    assert message.startswith("pass drop_relu changes output w of f by ")
    assert "the first value that differs is z (fc + act, by drop_relu)" in message
    assert "> z: f32[N, 3] = dense(x, kernel)" in message
    run_pipeline(graph(), (FoldConstants(), DropRelu()))


def test_a_pass_must_not_rename_outputs() -> None:
    with pytest.raises(InternalError, match="forget_output renames outputs"):
        run_pipeline(graph(), (ForgetOutput(),), check=True)


@pytest.mark.parametrize(
    "text",
    [
        "def f(x: f32[N, T, 3], k: f32[9, 3, 2]):\n  return convolution(x, k)",
        "def f(x: f32[N, H, W, 3]):\n  return max_pool(x, window=(30, 2), strides=(2, 2))",
        "def f(x: f32[T, 4], y: f32[2*T, 4]):\n  return concatenate(x, y, axis=0)",
        "def f(x: i32[N, 4], y: bool[N], z: u8[3]):\n  return x, y, z",
        "def f():\n  y: f32[2] = constant([1.0, 2.0])\n  return y",
    ],
)
def test_random_inputs_fit(text: str) -> None:
    graph = parse(text)
    inputs = random_inputs(graph)
    assert all(np.array_equal(a, b) for a, b in zip(inputs, random_inputs(graph), strict=True))
    evaluate_graph(graph, inputs)


def test_normalizations_may_stay_whole() -> None:
    text = (
        "def f(x: f32[N, 4]):\n"
        "  m: f32[4] = constant([1.0, 2.0, 3.0, 4.0])\n"
        "  return batch_norm(x, m, m, axis=1)\n"
    )
    assert FoldBatchNorm(decompose=False)(parse(text)).outputs[0].op == o.BatchNorm(1)
    assert FoldBatchNorm()(parse(text)).outputs[0].op == o.Add()


def test_divisions_may_stay_exact() -> None:
    text = "def f(x: f32[N, 4]):\n  return divide(x, 3.0), divide(x, -4.0)"
    third, quarter = SimplifyAlgebra(exact=True)(parse(text)).outputs
    assert (third.op, quarter.op) == (o.Divide(), o.Multiply())
    assert SimplifyAlgebra()(parse(text)).outputs[0].op == o.Multiply()
