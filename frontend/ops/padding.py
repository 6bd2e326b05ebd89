"""More elements before and behind: a number, the border, or the tensor mirrored or again."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.ops.axes import part
from kerac.ops.promotion import Operand
from kerac.ops.registry import operation

Mode = Literal["constant", "edge", "reflect", "symmetric", "wrap"]


@operation()
def pad(
    x: Value, pad_width: Any, mode: Mode = "constant", constant_values: Operand | None = None
) -> Value:
    """More elements before and behind along each axis."""
    width = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    pairs = tuple((int(before), int(after)) for before, after in width)
    if mode == "constant":
        if not isinstance(constant_values, Value):
            return ops.Pad(pairs, float(constant_values or 0.0))(x)
        return _around(x, pairs, constant_values)
    if constant_values is not None:
        raise CompileError(f"constant_values are given, but mode is {mode!r}")
    for axis, (before, after) in enumerate(pairs):
        pieces = [*_before(x, axis, before, mode), x, *_after(x, axis, after, mode)]
        x = ops.concatenate(pieces, axis) if len(pieces) > 1 else x
    return x


def _around(x: Value, pairs: Any, number: Value) -> Value:
    number = ops.cast(number, x.dtype)
    for axis, amounts in enumerate(pairs):
        before, after = (
            [ops.broadcast_to(number, (*x.shape[:axis], n, *x.shape[axis + 1 :]))] if n else []
            for n in amounts
        )
        x = ops.concatenate([*before, x, *after], axis) if before or after else x
    return x


def _before(x: Value, axis: int, count: int, mode: str) -> list[Value]:
    if not count:
        return []
    length = x.shape[axis]
    if mode == "edge":
        return [part(x, axis, 0, 1)] * count
    if mode == "wrap":
        return [part(x, axis, length - count, length)]
    skipped = int(mode == "reflect")
    return [ops.reverse(part(x, axis, skipped, skipped + count), (axis,))]


def _after(x: Value, axis: int, count: int, mode: str) -> list[Value]:
    if not count:
        return []
    length = x.shape[axis]
    if mode == "edge":
        return [part(x, axis, length - 1, length)] * count
    if mode == "wrap":
        return [part(x, axis, 0, count)]
    stop = length - int(mode == "reflect")
    return [ops.reverse(part(x, axis, stop - count, stop), (axis,))]
