"""Random convolutions and poolings, in one to three dimensions, fixed and dynamic sizes."""

from __future__ import annotations

import numpy as np
import pytest

from kerac.backends.onnx import export_graph
from kerac.ir import evaluate_graph
from kerac.ir.ops import AveragePool, Convolution, MaxPool, Relu
from tests.compare import assert_close
from tests.onnx.session import assert_same_as_reference, run
from tests.sample import Operand, Sample, tensor, weight

COUNT = 50
SYMBOLS = ("H", "W", "D")


def random_padding(random: np.random.Generator, spatial: int) -> str | tuple[tuple[int, int], ...]:
    kind = random.choice(["valid", "same", "pairs"])
    if kind != "pairs":
        return str(kind)
    return tuple(map(tuple, random.integers(0, 4, (spatial, 2)).tolist()))


def integers(random: np.random.Generator, low: int, high: int, count: int) -> tuple[int, ...]:
    return tuple(random.integers(low, high, count, endpoint=True).tolist())


def random_lengths(random: np.random.Generator, spatial: int, least: int) -> tuple[str, dict]:
    """Axes as they stand in a type, some of them symbols, and what the symbols stand for."""
    sizes = {"N": int(random.integers(1, 4))}
    texts = []
    for axis in range(spatial):
        length = int(random.integers(least, least + 7))
        if random.random() < 0.4:
            sizes[SYMBOLS[axis]] = length
            texts.append(SYMBOLS[axis])
        else:
            texts.append(str(length))
    return ", ".join(texts), sizes


def random_convolution(seed: int) -> tuple[Sample, dict[str, int]]:
    random = np.random.default_rng(seed)
    spatial = int(random.integers(1, 4))
    window, strides, dilation = (
        integers(random, 1, high, spatial) for high in (4, 3, 3 if seed % 2 else 1)
    )
    groups, inside = int(random.choice([1, 1, 2, 3])), int(random.integers(1, 4))
    channels, filters = groups * inside, groups * int(random.integers(1, 4))
    least = max((w - 1) * d + 1 for w, d in zip(window, dilation, strict=True))
    lengths, sizes = random_lengths(random, spatial, least)
    operands: list[Operand | None] = [
        tensor(f"f32[N, {lengths}, {channels}]"),
        weight(f"f32[{', '.join(map(str, window))}, {inside}, {filters}]"),
        weight(f"f32[{filters}]") if random.random() < 0.5 else None,
    ]
    op = Convolution(
        Relu() if random.random() < 0.3 else None,
        strides,
        random_padding(random, spatial),
        dilation,
        groups,
    )
    return Sample(op, tuple(operands)), sizes


def random_pooling(seed: int) -> tuple[Sample, dict[str, int]]:
    random = np.random.default_rng(seed)
    spatial = int(random.integers(1, 4))
    window, strides = integers(random, 1, 4, spatial), integers(random, 1, 4, spatial)
    lengths, sizes = random_lengths(random, spatial, max(window))
    kind = MaxPool if seed % 2 else AveragePool
    x = tensor(f"f32[N, {lengths}, {random.integers(1, 5)}]")
    return Sample(kind(window, strides, random_padding(random, spatial)), (x,)), sizes


@pytest.mark.parametrize("opset", [13, 22])
@pytest.mark.parametrize("seed", range(COUNT))
def test_convolution(seed: int, opset: int) -> None:
    sample, sizes = random_convolution(seed)
    assert_same_as_reference(sample.graph(), sample.arrays(sizes=sizes), opset=opset)


@pytest.mark.parametrize("opset", [13, 22])
@pytest.mark.parametrize("seed", range(COUNT))
def test_pooling(seed: int, opset: int) -> None:
    sample, sizes = random_pooling(seed)
    graph, arrays = sample.graph(), sample.arrays(sizes=sizes)
    (expected,) = evaluate_graph(graph, arrays)
    (result,) = run(export_graph(graph, opset=opset), arrays)
    # The maximum over no elements is -inf, but ONNX Runtime begins with the lowest finite number.
    lowest = np.finfo(np.float32).min
    assert_close(np.where(result == lowest, -np.inf, result), expected)
