"""Nested models become part of the graph that calls them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kerac.ir import Graph, Origin, TensorType, Value
from kerac.ir.dims import DimLike
from kerac.ir.ops import Call, Item
from kerac.ir.ops.constant import bind_symbols
from kerac.passes.base import Pass


@dataclass(frozen=True)
class InlineCalls(Pass):
    """Replace calls by the values of the graphs they call, at any depth.

    def half(x: f32[N, 4]):
        y = multiply(x, 0.5)
        z = exp(y)
        return y, z
    def before(x: f32[B, 4]):
        pair = half(x)
        y = item(pair, index=0)
        z = item(pair, index=1)
        w = add(y, z)
        return w
    def after(x: f32[B, 4]):
        y = multiply(x, 0.5)
        z = exp(y)
        w = add(y, z)
        return w
    """

    def apply(self, graph: Graph, changes: Counter[str]) -> Graph:
        """The graph without calls; counts the calls."""
        if not any(isinstance(value.op, Call) for value in graph.values):
            return graph
        outputs = _copy(graph, graph.inputs, {}, Origin(), changes)
        return graph.with_outputs(outputs)


def _copy(
    graph: Graph,
    operands: Sequence[Value],
    bound: dict[str, DimLike],
    caller: Origin,
    changes: Counter[str],
) -> tuple[Value, ...]:
    """The outputs of `graph` on `operands`; copies share the values that depend on nothing."""
    new: dict[Value, Value] = dict(zip(graph.inputs, operands, strict=True))
    results: dict[Value, tuple[Value, ...]] = {}
    for value in graph.values:
        if value in new:
            continue
        inputs = tuple(None if v is None else new.get(v, v) for v in value.inputs)
        match value.op:
            case Call(callee):
                changes["inline"] += 1
                given = [v for v in inputs if v is not None]
                origin = _led_by(value.origin, caller)
                results[value] = _copy(callee, given, _bind(callee, given), origin, changes)
                if len(results[value]) == 1:
                    new[value] = results[value][0]
            case Item(index) if value.inputs[0] in results:
                new[value] = results[value.inputs[0]][index]
            case _:
                new[value] = _moved(value, inputs, bound, caller)
    return tuple(new[value] for value in graph.outputs)


def _moved(
    value: Value, inputs: tuple[Value | None, ...], bound: dict[str, DimLike], caller: Origin
) -> Value:
    if inputs == value.inputs and not value.inputs:
        return value
    type_ = (
        tuple(item.substitute(bound) for item in value.type)
        if isinstance(value.type, tuple)
        else value.type.substitute(bound)
    )
    origin = _led_by(value.origin, caller)
    if inputs == value.inputs and type_ == value.type and origin == value.origin:
        return value
    return Value(value.op.substitute(bound), inputs, type_, value.name, origin)


def _bind(graph: Graph, operands: Sequence[Value]) -> dict[str, DimLike]:
    bound: dict[str, DimLike] = {}
    for wanted, given in zip(graph.inputs, operands, strict=True):
        bind_symbols(TensorType(wanted.dtype, wanted.shape), given.tensor_type, bound)
    return bound


def _led_by(origin: Origin, caller: Origin) -> Origin:
    """Paths inside a model are led by the path of the model, unless they say it already."""
    if not caller.layers:
        return origin
    path = caller.layers[-1]
    layers = [
        layer if f"{layer}/".startswith(f"{path}/") else f"{path}/{layer}"
        for layer in origin.layers
    ]
    return Origin(tuple(layers) or (path,), (*origin.passes, "inline_calls"))
