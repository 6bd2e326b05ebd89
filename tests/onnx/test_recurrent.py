"""Random recurrent layers: as ONNX's own nodes where these can do it, as Scan where not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerac.backends.onnx import export_graph
from kerac.ir import parse
from kerac.ir.ops import (
    GRU,
    LSTM,
    Elu,
    Gelu,
    HardSigmoid,
    Item,
    LeakyRelu,
    Relu,
    Selu,
    Sigmoid,
    Silu,
    SimpleRNN,
    Softplus,
    Softsign,
    Tanh,
    Threshold,
)
from tests.onnx.session import assert_same_as_reference, count, run
from tests.sample import Operand, Sample, tensor, weight

NODES = {SimpleRNN: "RNN", LSTM: "LSTM", GRU: "GRU"}
NATIVE = [
    Tanh(),
    Sigmoid(),
    Relu(),
    None,
    LeakyRelu(0.3),
    Elu(0.7),
    Softsign(),
    HardSigmoid(),
    Threshold(0.2),
]
OTHERS = [Gelu(), Softplus(), Silu(), Selu(), Threshold(0.1, -0.2)]


def pick(random: np.random.Generator, options: list[Any]) -> Any:
    return options[random.integers(len(options))]


def random_sample(seed: int, kind: type, functions: list[Any], masked: bool) -> Sample:
    random = np.random.default_rng(seed)
    features, units, steps = random.integers(1, 7), random.integers(1, 7), pick(random, ["T", 1, 4])
    wide = kind.gates * units
    attributes: dict[str, Any] = {"reverse": bool(random.random() < 0.5)}
    attributes["activation"] = pick(random, functions)
    if kind is not SimpleRNN:
        attributes["recurrent_activation"] = pick(random, functions)
    if masked:
        attributes["zero_output_for_mask"] = bool(random.random() < 0.5)
    bias_shape = f"{wide}"
    if kind is GRU:
        attributes["reset_after"] = bool(random.random() < 0.5)
        bias_shape = f"2, {wide}" if attributes["reset_after"] else f"{wide}"
    states = [tensor(f"f32[N, {units}]") for _ in range(2 if kind is LSTM else 1)]
    operands: list[Operand | None] = [
        tensor(f"f32[N, {steps}, {features}]"),
        weight(f"f32[{features}, {wide}]", -0.5, 0.5),
        weight(f"f32[{units}, {wide}]", -0.5, 0.5),
        weight(f"f32[{bias_shape}]") if random.random() < 0.7 else None,
        *(state if random.random() < 0.5 else None for state in states),
        tensor(f"bool[N, {steps}]") if masked else None,
    ]
    return Sample(kind(**attributes), tuple(operands))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("kind", NODES)
def test_own_nodes(kind: type, seed: int) -> None:
    sample = random_sample(seed, kind, NATIVE, masked=False)
    model = assert_same_as_reference(sample.graph(), sample.arrays())
    assert count(model, NODES[kind]) == 1
    assert count(model, "Scan") == 0


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("kind", NODES)
def test_masks(kind: type, seed: int) -> None:
    sample = random_sample(seed, kind, NATIVE, masked=True)
    model = assert_same_as_reference(sample.graph(), sample.arrays())
    assert count(model, "Scan") == 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", NODES)
def test_other_activations(kind: type, seed: int) -> None:
    sample = random_sample(seed, kind, OTHERS, masked=False)
    model = assert_same_as_reference(sample.graph(), sample.arrays())
    assert count(model, "Scan") == 1


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", NODES)
def test_weights_that_are_computed(kind: type, masked: bool) -> None:
    sample = random_sample(3, kind, NATIVE, masked)
    graph, arrays = sample.graph(weights_are_inputs=True), sample.arrays(weights_are_inputs=True)
    assert_same_as_reference(graph, arrays)


@pytest.mark.parametrize("opset", [13, 18, 22, 26])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", NODES)
def test_opsets(kind: type, masked: bool, opset: int) -> None:
    sample = random_sample(5, kind, NATIVE, masked)
    assert_same_as_reference(sample.graph(), sample.arrays(), opset=opset)


@pytest.mark.parametrize("kind", NODES)
def test_all_steps_masked(kind: type) -> None:
    sample = random_sample(7, kind, NATIVE, masked=True)
    arrays = sample.arrays()
    arrays[-1] = np.zeros_like(arrays[-1])
    assert_same_as_reference(sample.graph(), arrays)


def test_only_the_last_state_is_used() -> None:
    layer = random_sample(1, GRU, [Tanh()], masked=False)
    graph = Sample(Item(1), (layer,)).graph()
    model = assert_same_as_reference(graph, layer.arrays())
    assert not {"Slice", "Scan"} & {node.op_type for node in model.graph.node}


BIDIRECTIONAL = """
def model(x: f32[N, T, 4]):
    k1: f32[4, 12] = parameter("forward/kernel")
    r1: f32[3, 12] = parameter("forward/recurrent")
    k2: f32[4, 12] = parameter("backward/kernel")
    r2: f32[3, 12] = parameter("backward/recurrent")
    k3: f32[6, 20] = parameter("top/kernel")
    r3: f32[5, 20] = parameter("top/recurrent")
    forward = item(lstm(x, k1, r1), index=0)
    backward = item(lstm(x, k2, r2, reverse=True), index=0)
    both = concatenate(forward, reverse(backward, axes=(1,)), axis=2)
    dropped = dropout(tanh(both), rate=0.5)
    top = lstm(dropped, k3, r3)
    return item(top, index=0)
"""
SHAPES = {
    "forward/kernel": (4, 12),
    "forward/recurrent": (3, 12),
    "backward/kernel": (4, 12),
    "backward/recurrent": (3, 12),
    "top/kernel": (6, 20),
    "top/recurrent": (5, 20),
}


def test_stacked_layers_stay_in_the_order_of_time() -> None:
    random = np.random.default_rng(0)
    weights = {path: random.normal(size=shape).astype("f4") for path, shape in SHAPES.items()}
    graph = parse(BIDIRECTIONAL, weights)
    x = random.normal(size=(2, 5, 4)).astype(np.float32)
    model = assert_same_as_reference(graph, [x])
    # One at the input, one at the output; what is reversed twice is not reversed at all.
    assert count(model, "Transpose") == 2
    assert count(model, "Slice") == 0


def test_any_batch_and_any_number_of_steps() -> None:
    sample = Sample(
        LSTM(zero_output_for_mask=False),
        (
            tensor("f32[N, T, 3]"),
            weight("f32[3, 8]"),
            weight("f32[2, 8]"),
            None,
            tensor("f32[N, 2]"),
            None,
            tensor("bool[N, T]"),
        ),
    )
    graph = sample.graph()
    model = export_graph(graph)
    for batch, steps in ((1, 1), (2, 7), (5, 3)):
        arrays = sample.arrays(sizes={"N": batch, "T": steps})
        assert [r.shape[0] for r in run(model, arrays)] == [batch] * 3
        assert_same_as_reference(graph, arrays)
