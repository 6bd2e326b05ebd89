"""What functions along axes share: axes brought to the end, lines, parts, places."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.layers.images.sampling import length
from kerac.layers.merging import concatenated
from kerac.ops.promotion import promoted, value_of

Axes = int | list[int] | tuple[int, ...] | None


def axis_within(axis: int, ndim: int) -> int:
    """`axis`, which may be negative, as one of 0 ... ndim - 1."""
    axis = int(axis)
    if not -ndim <= axis < ndim:
        raise ShapeError(f"axis {axis} does not exist in {ndim} axes")
    return axis % ndim


def axes_within(axis: Axes, ndim: int) -> tuple[int, ...]:
    """Ascending axes; None means all."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, list | tuple) else (axis,)
    return tuple(sorted({axis_within(entry, ndim) for entry in given}))


def size_of(x: Value) -> DimLike:
    """The number of elements."""
    size: DimLike = prod(x.shape, start=1)
    return size


def flat(x: Value) -> Value:
    """All elements one after the other."""
    return ops.reshape(x, (size_of(x),))


def moved(x: Value, source: int, destination: int) -> Value:
    """x with one axis in another place."""
    order = [axis for axis in range(x.ndim) if axis != source]
    order.insert(destination, source)
    return ops.transpose(x, tuple(order))


def last(x: Value, axis: int | None) -> tuple[Value, int]:
    """x with an axis at the end, and where it was; None stands for all of x made one axis."""
    if axis is None:
        return flat(x), 0
    place = axis_within(axis, x.ndim)
    return moved(x, place, x.ndim - 1), place


def back(x: Value, place: int) -> Value:
    """The last axis put where it was."""
    return moved(x, x.ndim - 1, place)


def lines(x: Value, axis: Axes) -> tuple[Value, tuple[int, ...]]:
    """x: t[*kept, L] with all of `axis` made the last one, and what axes these were."""
    axes = axes_within(axis, x.ndim)
    kept = tuple(place for place in range(x.ndim) if place not in axes)
    ordered = ops.transpose(x, (*kept, *axes))
    length = prod((x.shape[place] for place in axes), start=1)
    return ops.reshape(ordered, (*(x.shape[place] for place in kept), length)), axes


def with_axes(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """x with axes of length 1 where `axes` were, if they are kept."""
    if not keepdims:
        return x
    shape = list(x.shape)
    for place in axes:
        shape.insert(place, 1)
    return ops.reshape(x, tuple(shape))


def number(dim: DimLike, dtype: str = "i32") -> Value:
    """A length as a number."""
    return length(dim, dtype)


def take_last(x: Value, places: Value) -> Value:
    """x: t[*B, L] at places: i32[*B, K] along the last axis -> t[*B, K]"""
    *batch, length = x.shape
    rows = prod(batch, start=1)
    starts = ops.iota((rows, 1), 0) * number(length)
    index = ops.reshape(places, (rows, places.shape[-1])) + starts
    return ops.reshape(ops.gather(flat(x), index), (*batch, places.shape[-1]))


def from_behind(numbers: Value, length: DimLike) -> Value:
    """Places as i32, negative ones counted from the end."""
    if numbers.dtype.startswith("u"):
        return ops.cast(numbers, "i32")
    numbers = ops.cast(numbers, "i32")
    return ops.select(numbers < 0, numbers + number(length), numbers)


def part(x: Value, axis: int, start: DimLike, stop: DimLike) -> Value:
    """The part start:stop of one axis."""
    return x if start == 0 and stop == x.shape[axis] else ops.slice_axis(x, axis, start, stop)


def joined(values: Sequence[Any], axis: int) -> Value:
    """Tensors of one dtype one after the other."""
    found = promoted(*(value_of(x) for x in values))
    return concatenated(found, axis_within(axis, found[0].ndim))


def without_axis(x: Value, axis: int) -> Value:
    """x without an axis of length 1."""
    return ops.reshape(x, (*x.shape[:axis], *x.shape[axis + 1 :]))


def with_axis(x: Value, axis: int) -> Value:
    """x with a new axis of length 1."""
    return ops.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def is_named(numbers: Value, count: int, place: int) -> Value:
    """Whether each of `count`, along a new axis, is what the numbers name: bool."""
    shape = tuple(count if axis == place else 1 for axis in range(numbers.ndim + 1))
    return ops.Equal()(with_axis(ops.cast(numbers, "i32"), place), ops.iota(shape, place))


def filled(value: Any, shape: Sequence[DimLike], dtype: str) -> Value:
    """A number everywhere."""
    return ops.broadcast_to(ops.constant(np.asarray(value), dtype), tuple(shape))


def known_length(length: DimLike, what: str) -> int:
    """A length that must be known when the graph is made."""
    if not isinstance(length, int):
        raise ShapeError(
            f"{what} must be known, but is {length}",
            remedy="Give the model an Input with the sizes of these axes.",
        )
    return length
