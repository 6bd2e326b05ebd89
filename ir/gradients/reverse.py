"""Reverse mode: cotangents flow from outputs back to the values they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerac.ir import ops as o
from kerac.ir.errors import InternalError
from kerac.ir.graph import Graph, Origin, Value, origin_scope
from kerac.ir.types import TensorType

PASS = "differentiate"


def reverse(
    outputs: Sequence[Value], cotangents: Sequence[Value | None], wrt: Sequence[Value]
) -> list[Value | None]:
    """Cotangents of `wrt` from those of `outputs`; None where no output depends on a value.

    Only what lies on a way from `wrt` to an output is walked through.
    """
    order = Graph("reverse", (), tuple(outputs)).values
    active = _dependent(order, wrt)
    found: dict[Value, Any] = {}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if cotangent is not None and output in active:
            _add(found, output, cotangent)
    for value in reversed(order):
        if value in active and value in found and any(v in active for v in value.operands):
            _walk_back(value, found, active)
    return [found.get(value) for value in wrt]


def _dependent(order: Sequence[Value], wrt: Sequence[Value]) -> set[Value]:
    """Values that depend on one of `wrt` and can have a gradient."""
    active = {value for value in wrt if _is_float(value)}
    for value in order:
        if _is_float(value) and any(operand in active for operand in value.operands):
            active.add(value)
    return active


def _is_float(value: Value) -> bool:
    types = value.type if isinstance(value.type, tuple) else (value.type,)
    return any(type_.is_float for type_ in types)


def _walk_back(value: Value, found: dict[Value, Any], active: set[Value]) -> None:
    cotangent = found[value]
    with origin_scope(Origin(value.origin.layers, (PASS,))):
        if isinstance(value.op, o.Item):
            (results,) = value.operands
            _add_item(found, results, value.op.index, cotangent)
            return
        made = value.op.vjp(*value.inputs, result=value, cotangent=cotangent)
        for operand, part in zip(value.inputs, made, strict=False):
            if operand is None or part is None or operand not in active:
                continue
            if part.type != operand.type:
                raise InternalError(
                    f"the gradient of {value.op.text_name} gives {part.type} to {operand.name}, "
                    f"which is {operand.type}"
                )
            _add(found, operand, part)


def _add(found: dict[Value, Any], value: Value, cotangent: Any) -> None:
    known = found.get(value)
    found[value] = cotangent if known is None else _sum(known, cotangent)


def _sum(known: Any, other: Any) -> Any:
    if isinstance(known, tuple):
        pairs = zip(known, other, strict=True)
        return tuple(b if a is None else a if b is None else _sum(a, b) for a, b in pairs)
    return o.add(known, other)


def _add_item(found: dict[Value, Any], results: Value, index: int, cotangent: Value) -> None:
    if not isinstance(results.type, tuple):
        raise InternalError(f"{results.name} has one result, but an item of it is taken")
    count = len(results.type)
    _add(found, results, tuple(cotangent if i == index else None for i in range(count)))


def zeros(type_: TensorType) -> Value:
    """A value of `type_` that is zero everywhere."""
    return o.broadcast_to(o.constant(0, type_.dtype), type_.shape)
