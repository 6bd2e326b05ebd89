"""Equal values become one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from kerac.ir import Data, Graph, Origin, Value
from kerac.ir.ops import Constant, Dropout, Input, Parameter
from kerac.passes.base import Pass
from kerac.passes.patterns import SMALL


@dataclass(frozen=True)
class MergeDuplicates(Pass):
    """Compute values once that have the same op and the same operands.

    def before(x: f32[N, 4]):
        y = exp(x)
        z = exp(x)
        w = add(y, z)
        return w
    def after(x: f32[N, 4]):
        y = exp(x)
        w = add(y, y)
        return w
    """

    def apply(self, graph: Graph, changes: Counter[str]) -> Graph:
        """The graph without duplicates; counts the values that vanish."""
        first: dict[Value, Value] = {}
        known: dict[Hashable, Value] = {}
        origins: dict[Value, Origin] = {}
        for value in graph.values:
            inputs = tuple(None if v is None else first[v] for v in value.inputs)
            first[value] = known.setdefault(_key(value, inputs), value)
            if first[value] is not value:
                known_origin = origins.get(first[value], first[value].origin)
                origins[first[value]] = known_origin | value.origin
        if not origins:
            return graph
        changes["merge"] += len(graph.values) - len(known)
        return _rebuild(graph, first, origins)


def _rebuild(graph: Graph, first: dict[Value, Value], origins: dict[Value, Origin]) -> Graph:
    new: dict[Value, Value] = {}
    for value in graph.values:
        if first[value] is not value:
            continue
        inputs = tuple(None if v is None else new[first[v]] for v in value.inputs)
        origin = (
            origins[value] | Origin(passes=("merge_duplicates",))
            if value in origins
            else value.origin
        )
        same = origin is value.origin and inputs == value.inputs
        new[value] = value if same else Value(value.op, inputs, value.type, value.name, origin)
    return graph.with_outputs(new[first[value]] for value in graph.outputs)


def _key(value: Value, inputs: tuple[Value | None, ...]) -> Hashable:
    """Equal for values that compute the same."""
    match value.op:
        case Input() | Dropout():  # two dropouts drop different elements
            return value
        case Constant(data):
            return ("constant", _data_key(data))
        case Parameter(name, data):
            return ("parameter", name, _data_key(data))
    return (value.op, inputs)


def _data_key(data: Data) -> Hashable:
    """By content where the array is small; to hash all weights of a network would take seconds."""
    if not data.is_known or data.array.size <= SMALL:
        return data
    return (data.type, data.array.__array_interface__["data"], data.array.strides)
