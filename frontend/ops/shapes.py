"""Axes: reshaped, moved, added, taken away; tensors joined, split and repeated; parts by keys."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.dims import Dim
from kerac.ir.errors import FormatError, ShapeError
from kerac.ir.indexing import part_of
from kerac.layers.masks import as_bool
from kerac.ops.axes import (
    Axes,
    axes_within,
    axis_within,
    flat,
    from_behind,
    joined,
    known_length,
    part,
    with_axis,
    without_axis,
)
from kerac.ops.pairs import together
from kerac.ops.promotion import Operand, chosen_dtype, value_of
from kerac.ops.registry import Key, Values, operation, refuse_tensors

Shape = int | list[Any] | tuple[Any, ...]


@operation()
def reshape(x: Value, newshape: Shape) -> Value:
    """The same elements in another shape; -1 or None is the length that is left."""
    given = newshape if isinstance(newshape, list | tuple) else (newshape,)
    lengths = [-1 if n is None else n if isinstance(n, Dim) else int(n) for n in given]
    # a length that is not known stands where the input has it
    unknown = [i for i, n in enumerate(lengths) if not isinstance(n, Dim) and n == -1]
    if len(unknown) > 1 and unknown[0] == 0:
        lengths[0] = x.shape[0]
        unknown = unknown[1:]
    if len(unknown) > 1:
        raise ShapeError(f"newshape {tuple(given)} leaves {len(unknown)} lengths open, but one can")
    total = prod(x.shape, start=1)
    if unknown:
        rest = prod((n for i, n in enumerate(lengths) if i != unknown[0]), start=1)
        try:
            lengths[unknown[0]] = total // rest if rest != 0 else 0
        except FormatError:
            raise ShapeError(f"{x.type} does not fit the shape {tuple(given)}") from None
    return ops.reshape(x, tuple(lengths))


@operation()
def transpose(x: Value, axes: tuple[int, ...] | list[int] | None = None) -> Value:
    """Axes in another order, or in the opposite one."""
    order = range(x.ndim)[::-1] if axes is None else [axis_within(a, x.ndim) for a in axes]
    return ops.transpose(x, tuple(order))


@operation()
def expand_dims(x: Value, axis: int | list[int] | tuple[int, ...]) -> Value:
    """New axes of length 1."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    places = axes_within(axes, x.ndim + len(axes))
    for place in places:
        x = with_axis(x, place)
    return x


@operation()
def squeeze(x: Value, axis: Axes = None) -> Value:
    """Axes of length 1 taken away."""
    axes = axes_within(axis, x.ndim)
    if axis is None:
        axes = tuple(place for place in axes if x.shape[place] == 1)
    if any(x.shape[place] != 1 for place in axes):
        raise ShapeError(f"axes {axes} must have length 1, but the input is {x.type}")
    return ops.reshape(x, tuple(n for place, n in enumerate(x.shape) if place not in axes))


@operation()
def swapaxes(x: Value, axis1: int, axis2: int) -> Value:
    """Two axes in each other's place."""
    one, other = axis_within(axis1, x.ndim), axis_within(axis2, x.ndim)
    order = list(range(x.ndim))
    order[one], order[other] = other, one
    return ops.transpose(x, tuple(order))


@operation()
def moveaxis(
    x: Value,
    source: int | list[int] | tuple[int, ...],
    destination: int | list[int] | tuple[int, ...],
) -> Value:
    """Axes taken out and put into other places."""
    taken, places = (
        [axis_within(axis, x.ndim) for axis in ((given,) if isinstance(given, int) else given)]
        for given in (source, destination)
    )
    rest = iter(axis for axis in range(x.ndim) if axis not in taken)
    found = dict(zip(places, taken, strict=True))
    order = tuple(found[axis] if axis in found else next(rest) for axis in range(x.ndim))
    return ops.transpose(x, order)


@operation()
def flip(x: Value, axis: Axes = None) -> Value:
    """Elements in opposite order along axes."""
    return ops.reverse(x, axes_within(axis, x.ndim))


@operation()
def broadcast_to(x: Value, shape: Shape) -> Value:
    """A tensor stretched to a shape; None stands for the length it has."""
    given = shape if isinstance(shape, list | tuple) else (shape,)
    own = (*(1,) * (len(given) - x.ndim), *x.shape)
    pairs = zip(given, own, strict=True)
    return ops.broadcast_to(x, tuple(length if n is None else n for n, length in pairs))


@operation()
def concatenate(xs: Values, axis: int = 0) -> Value:
    """One after the other along an axis."""
    return joined(xs, axis)


@operation()
def stack(x: Values, axis: int = 0) -> Value:
    """Tensors side by side along a new axis."""
    place = axis_within(axis, x[0].ndim + 1)
    return joined([with_axis(v, place) for v in x], place)


@operation()
def split(
    x: Value, indices_or_sections: int | list[int] | tuple[int, ...], axis: int = 0
) -> list[Value]:
    """Parts along an axis, equally long or between given places."""
    from kerac.ops.arrangement import split_evenly

    return split_evenly(x, indices_or_sections, axis)


@operation("core")
def unstack(x: Value, num: int | None = None, axis: int = 0) -> list[Value]:
    """The parts of length 1 along an axis, without it."""
    place = axis_within(axis, x.ndim)
    length = known_length(x.shape[place], f"the length of axis {axis}") if num is None else num
    return [without_axis(part(x, place, i, i + 1), place) for i in range(length)]


@operation()
def repeat(x: Value, repeats: Any, axis: int | None = None) -> Value:
    """Every element several times in a row along an axis, or of what is flat."""
    x = flat(x) if axis is None else x
    place = axis_within(axis or 0, x.ndim)
    counts = [int(n) for n in np.asarray(repeats).reshape(-1)]
    if len(counts) == 1 and counts[0] > 0:
        return ops.repeat(x, counts[0], place)
    length = known_length(x.shape[place], f"the length of axis {axis}")
    from kerac.ops.indexing import take_places

    places = np.repeat(np.arange(length), counts).astype(np.int32)
    return take_places(x, place, ops.constant(places))


@operation()
def tile(x: Value, repeats: int | list[int] | tuple[int, ...]) -> Value:
    """Copies one after the other along each axis."""
    counts = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    x = ops.reshape(x, (*(1,) * (len(counts) - x.ndim), *x.shape))
    counts = (*(1,) * (x.ndim - len(counts)), *counts)
    for axis, count in enumerate(counts):
        x = x if count == 1 else ops.concatenate([x] * count, axis)
    return x


@operation()
def zeros_like(x: Value, dtype: Any = None) -> Value:
    """0 everywhere."""
    return ops.broadcast_to(ops.constant(0, chosen_dtype(dtype, x.dtype)), x.shape)


@operation()
def ones_like(x: Value, dtype: Any = None) -> Value:
    """1 everywhere."""
    return ops.broadcast_to(ops.constant(1, chosen_dtype(dtype, x.dtype)), x.shape)


@operation("core")
def cast(x: Value, dtype: Any) -> Value:
    """The same numbers in another dtype."""
    return ops.cast(x, chosen_dtype(dtype))


@operation("core", "ConvertToTensor")
def convert_to_tensor(
    x: Value, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None
) -> Value:
    """x as a tensor, in another dtype if that is given."""
    return ops.cast(x, chosen_dtype(dtype, x.dtype))


@operation("core")
def stop_gradient(variable: Value) -> Value:
    """The same, through which no gradient flows."""
    return ops.StopGradient()(variable)


def _places(arguments: dict[str, Any]) -> Any:
    """The result for a condition alone."""
    if arguments.get("x1") is None and arguments.get("x2") is None:
        reason = "where it holds says how long the result is"
        refuse_tensors("where of a condition alone", reason, arguments)
        return tuple(x.astype(np.int32) for x in np.nonzero(np.asarray(arguments["condition"])))
    return None


@operation(otherwise=_places)
def where(condition: Value, x1: Operand | None = None, x2: Operand | None = None) -> Value:
    """One of two, by a condition; of a condition alone the places where it holds."""
    return ops.select(as_bool(condition), *together(x1, x2))


@operation()
def clip(x: Value, x_min: Any, x_max: Any) -> Value:
    """Elements brought between two bounds."""
    dtype = "i32" if x.dtype == "bool" else x.dtype
    x = ops.cast(x, dtype)
    if x_min is not None:
        x = ops.Maximum()(x, ops.cast(value_of(x_min), dtype))
    return x if x_max is None else ops.Minimum()(x, ops.cast(value_of(x_max), dtype))


@operation()
def take(x: Value, indices: Value, axis: int | None = None) -> Value:
    """Parts along an axis by their numbers, which count from behind where they are negative."""
    x = flat(x) if axis is None else x
    place = axis_within(axis or 0, x.ndim)
    numbers = from_behind(indices, x.shape[place])
    order = (place, *(other for other in range(x.ndim) if other != place))
    found = ops.gather(ops.transpose(x, order), numbers)
    before = tuple(range(numbers.ndim, numbers.ndim + place))
    behind = tuple(range(numbers.ndim + place, found.ndim))
    return ops.transpose(found, (*before, *range(numbers.ndim), *behind))


@operation()
def get_item(x: Value, key: Key) -> Value:
    """Parts along axes by numbers and slices, as `x[:, -1]`; None makes a new axis."""
    return part_of(x, key)
