"""How far two results are apart, output by output and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.command_line.contestants import Contestant, Inputs
from kerac.ir import Graph, Value
from kerac.ir.graph import unique_name
from kerac.ir.ops.constant import Constant, Input, Parameter

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Deviation:
    """The largest difference of two arrays, and the largest magnitude of the one that counts."""

    difference: float
    magnitude: float

    @property
    def relative(self) -> float:
        """The difference as a part of the magnitude."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.magnitude if self.magnitude else float("inf")

    def exceeds(self, tolerance: float) -> bool:
        """Whether it is more than `tolerance` allows; NaN is."""
        return not self.relative <= tolerance


def deviation(found: Array, expected: Array) -> Deviation:
    """Compare `found` with `expected`; where both are the same infinity or NaN they agree."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return Deviation(float("inf"), 1.0)
    a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return Deviation(float("inf"), 1.0)
    difference = np.abs(a[finite] - b[finite])
    # what is finite in one alone differs without bound
    largest = float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))
    return Deviation(largest, float(np.abs(b[finite]).max(initial=0.0)))


@dataclass(frozen=True)
class Layer:
    """The last value of a layer."""

    name: str
    value: Value


def layers_of(graph: Graph) -> list[Layer]:
    """The layers of a graph in the order of computation, each with its last value."""
    found: dict[str, Value] = {}
    for value in graph.values:
        if isinstance(value.op, Input | Constant | Parameter) or isinstance(value.type, tuple):
            continue
        for name in value.origin.layers[:1]:
            found.pop(name, None)
            found[name] = value
    return [Layer(name, value) for name, value in found.items()]


def with_layers(graph: Graph, layers: Sequence[Layer]) -> Graph:
    """The graph with the result of each layer as an output."""
    names: dict[str, None] = {}
    for layer in layers:
        names.setdefault(unique_name(layer.value.name, names))
    return Graph(graph.name, graph.inputs, tuple(layer.value for layer in layers), tuple(names))


def first_deviating_prefix(
    graph: Graph,
    layers: Sequence[Layer],
    expected: Sequence[Array],
    contestant: Contestant,
    inputs: Inputs,
    tolerance: float,
) -> Layer | None:
    """The first layer at which the graph, cut off there, deviates, found by halving.

    This finds what only goes wrong when the layer is fused with others.
    """
    low, high, found = 0, len(layers) - 1, None
    while low <= high:
        middle = (low + high) // 2
        layer = layers[middle]
        (result,) = contestant(with_layers(graph, [layer]), inputs)
        if deviation(result, expected[middle]).exceeds(tolerance):
            found, high = layer, middle - 1
        else:
            low = middle + 1
    return found
