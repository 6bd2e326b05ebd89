"""Tensors arranged anew: flat, rolled, turned, stacked, split, their diagonals and triangles."""

from __future__ import annotations

from typing import Any

from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError
from kerac.ops.axes import (
    Axes,
    axis_within,
    filled,
    flat,
    joined,
    known_length,
    number,
    part,
    with_axis,
)
from kerac.ops.promotion import Operand, promoted
from kerac.ops.registry import Values, operation

Shift = int | tuple[int, ...] | list[int]
Sections = int | tuple[int, ...] | list[int]


@operation()
def ravel(x: Value) -> Value:
    """All elements one after the other."""
    return flat(x)


@operation()
def append(x1: Value, x2: Value, axis: int | None = None) -> Value:
    """One tensor after the other; without an axis both are flat."""
    if axis is None:
        return joined([flat(x1), flat(x2)], 0)
    return joined([x1, x2], axis)


@operation()
def roll(x: Value, shift: Shift, axis: Axes = None) -> Value:
    """Elements moved on; those that leave at the end come in at the beginning."""
    if axis is None:
        total = shift if isinstance(shift, int) else sum(shift)
        return ops.reshape(_rolled(flat(x), total, 0), x.shape)
    axes = [axis] if isinstance(axis, int) else list(axis)
    shifts = [shift] * len(axes) if isinstance(shift, int) else list(shift)
    for one, by in zip(axes, shifts, strict=True):
        x = _rolled(x, by, axis_within(one, x.ndim))
    return x


def _rolled(x: Value, shift: int, axis: int) -> Value:
    length = x.shape[axis]
    shift = shift % length if isinstance(length, int) and length else shift
    if not shift or length == 0:
        return x
    place = length - shift if shift > 0 else -shift
    return ops.concatenate([part(x, axis, place, length), part(x, axis, 0, place)], axis)


@operation()
def fliplr(x: Value) -> Value:
    """Columns in opposite order."""
    return ops.reverse(x, (axis_within(1, x.ndim),))


@operation()
def flipud(x: Value) -> Value:
    """Rows in opposite order."""
    return ops.reverse(x, (axis_within(0, x.ndim),))


@operation()
def rot90(array: Value, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Value:
    """The plane of two axes turned k times by a right angle."""
    one, other = (axis_within(axis, array.ndim) for axis in axes)
    if one == other:
        raise ShapeError(f"axes {axes} must be different")
    order = list(range(array.ndim))
    order[one], order[other] = other, one
    match k % 4:
        case 1:
            return ops.transpose(ops.reverse(array, (other,)), tuple(order))
        case 2:
            return ops.reverse(array, tuple(sorted((one, other))))
        case 3:
            return ops.reverse(ops.transpose(array, tuple(order)), (other,))
    return array


def at_least(x: Value, ndim: int) -> Value:
    """x with new axes as NumPy has them: rows of vectors, depths of matrices."""
    if x.ndim == 0:
        return ops.reshape(x, (1,) * ndim)
    if x.ndim == 1 and ndim > 1:
        x = ops.reshape(x, (1, *x.shape))
    return ops.reshape(x, (*x.shape, 1)) if x.ndim == 2 and ndim == 3 else x


@operation()
def vstack(xs: Values) -> Value:
    """Tensors below one another."""
    return joined([at_least(x, 2) for x in xs], 0)


@operation()
def hstack(xs: Values) -> Value:
    """Tensors side by side."""
    values = [at_least(x, 1) for x in xs]
    return joined(values, 0 if values[0].ndim == 1 else 1)


@operation()
def dstack(xs: Values) -> Value:
    """Tensors behind one another along the third axis."""
    return joined([at_least(x, 3) for x in xs], 2)


def split_at(x: Value, ends: list[Any], axis: int) -> list[Value]:
    """Parts that end at these places."""
    length = x.shape[axis]
    places = [0, *ends, length]
    if isinstance(length, int):
        places = [min(max(e + length if e < 0 else e, 0), length) for e in places]
        places = [max(places[: i + 1]) for i in range(len(places))]
    return [part(x, axis, *places[i : i + 2]) for i in range(len(places) - 1)]


def split_evenly(x: Value, sections: Sections, axis: int) -> list[Value]:
    """Parts along an axis, equally long or between given places."""
    axis = axis_within(axis, x.ndim)
    if not isinstance(sections, int):
        return split_at(x, list(sections), axis)
    length = known_length(x.shape[axis], f"the length of axis {axis}")
    if length % sections:
        raise ShapeError(f"axis {axis} of length {length} does not split into {sections}")
    return split_at(x, list(range(length // sections, length, length // sections)), axis)


@operation()
def hsplit(x: Value, indices_or_sections: Sections) -> list[Value]:
    """Parts side by side."""
    return split_evenly(x, indices_or_sections, 0 if x.ndim == 1 else 1)


@operation()
def vsplit(x: Value, indices_or_sections: Sections) -> list[Value]:
    """Parts below one another."""
    return split_evenly(x, indices_or_sections, 0)


@operation()
def dsplit(x: Value, indices_or_sections: Sections) -> list[Value]:
    """Parts along the third axis."""
    return split_evenly(x, indices_or_sections, 2)


@operation()
def array_split(x: Value, indices_or_sections: int, axis: int = 0) -> list[Value]:
    """Parts of as equal lengths as can be."""
    axis = axis_within(axis, x.ndim)
    length = known_length(x.shape[axis], f"the length of axis {axis}")
    each, more = divmod(length, indices_or_sections)
    ends = [each * i + min(i, more) for i in range(1, indices_or_sections)]
    return split_at(x, ends, axis)


@operation()
def meshgrid(*x: Value, indexing: str = "xy") -> list[Value]:
    """Coordinates of all places of a grid."""
    values = [flat(v) for v in x]
    shape = tuple(v.shape[0] for v in values)
    found = []
    for place, value in enumerate(values):
        own = tuple(n if i == place else 1 for i, n in enumerate(shape))
        grid = ops.broadcast_to(ops.reshape(value, own), shape)
        swap = indexing == "xy" and len(shape) > 1
        found.append(ops.transpose(grid, (1, 0, *range(2, len(shape)))) if swap else grid)
    return found


def triangle(x: Value, k: int, upper: bool) -> Value:
    """x: t[..., M, N] with zeros on one side of a diagonal."""
    rows, columns = x.shape[-2:]
    row, column = ops.iota((rows, 1), 0), ops.iota((1, columns), 1)
    kept = (column >= row + k) if upper else (column <= row + k)
    return ops.select(kept, x, ops.constant(0, x.dtype))


@operation()
def tril(x: Value, k: int = 0) -> Value:
    """Zeros above a diagonal."""
    return triangle(x, k, upper=False)


@operation()
def triu(x: Value, k: int = 0) -> Value:
    """Zeros below a diagonal."""
    return triangle(x, k, upper=True)


@operation()
def diagonal(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    """The diagonals of the planes of two axes, as the last axis."""
    one, other = axis_within(axis1, x.ndim), axis_within(axis2, x.ndim)
    if one == other:
        raise ShapeError(f"axis1 and axis2 are both {axis1}, but must be different")
    kept = [axis for axis in range(x.ndim) if axis not in (one, other)]
    x = ops.transpose(x, (*kept, one, other))
    rows, columns = (known_length(n, "the lengths of a plane") for n in x.shape[-2:])
    batch = x.shape[:-2]
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    line = ops.reshape(x, (*batch, rows * columns))
    start = offset if offset >= 0 else -offset * columns
    if not count:
        return filled(0, (*batch, 0), x.dtype)
    stop = start + (count - 1) * (columns + 1) + 1
    zeros, ones = (0,) * len(batch), (1,) * len(batch)
    return ops.Slice((*zeros, start), (*batch, stop), (*ones, columns + 1))(line)


@operation()
def diag(x: Value, k: int = 0) -> Value:
    """A matrix with a vector on its diagonal, or the diagonal of a matrix."""
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(f"x must have 1 or 2 axes, but is {x.type}")
    shifted = ops.Pad(((max(k, 0), max(-k, 0)),))(x)
    size = shifted.shape[0]
    on_it = ops.Equal()(ops.iota((size, 1), 0) + k, ops.iota((1, size), 1))
    return ops.select(on_it, ops.reshape(shifted, (1, size)), ops.constant(0, x.dtype))


@operation()
def diagflat(x: Value, k: int = 0) -> Value:
    """A matrix with all elements on its diagonal."""
    return diag(flat(x), k)


@operation()
def trace(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    """Sums of diagonals."""
    line = diagonal(x, offset, axis1, axis2)
    if line.dtype in ("bool", "i8", "i16"):
        line = ops.cast(line, "i32")
    return ops.reduce_sum(line, (line.ndim - 1,))


@operation()
def select(condlist: Values, choicelist: Values, default: Operand = 0) -> Value:
    """Of several choices the one whose condition holds first."""
    *choices, found = promoted(*choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        found = ops.select(ops.cast(condition, "bool"), choice, found)
    return found


@operation()
def vander(x: Value, N: int | None = None, increasing: bool = False) -> Value:  # noqa: N803
    """Powers of each element as rows."""
    count = known_length(x.shape[0], "the number of columns") if N is None else N
    columns = [ops.cast(filled(1, x.shape, "i32"), x.dtype)]
    for _ in range(count - 1):
        columns.append(columns[-1] * x)
    columns = columns[:count] if increasing else columns[:count][::-1]
    return ops.concatenate([with_axis(column, 1) for column in columns], 1)


@operation()
def unravel_index(indices: Value, shape: tuple[int, ...]) -> list[Value]:
    """Places along each axis of an array from places in it made flat."""
    from kerac.ops.axes import from_behind
    from kerac.ops.pairs import floor_divide

    total = 1
    for length in shape:
        total *= length
    rest = from_behind(indices, total)
    found = []
    for length in reversed(shape):
        quotient = floor_divide(rest, number(length))
        found.append(ops.cast(rest - quotient * length, indices.dtype))
        rest = quotient
    return found[::-1]


@operation("nn")
def depth_to_space(x: Value, block_size: int, data_format: str = "channels_last") -> Value:
    """Channels spread to squares of places."""
    from kerac.layers.data_format import from_last, to_last

    x = to_last(x, data_format)  # type: ignore[arg-type]
    batch, height, width, channels = x.shape
    b = block_size
    first = data_format == "channels_first"
    parts = (channels // b**2, b, b) if first else (b, b, channels // b**2)
    x = ops.reshape(x, (batch, height, width, *parts))
    order = (0, 1, 4, 2, 5, 3) if first else (0, 1, 3, 2, 4, 5)
    x = ops.reshape(ops.transpose(x, order), (batch, height * b, width * b, channels // b**2))
    return from_last(x, data_format)  # type: ignore[arg-type]


@operation("nn")
def space_to_depth(x: Value, block_size: int, data_format: str = "channels_last") -> Value:
    """Squares of places gathered in channels."""
    from kerac.layers.data_format import from_last, to_last

    x = to_last(x, data_format)  # type: ignore[arg-type]
    batch, height, width, channels = x.shape
    b = block_size
    x = ops.reshape(x, (batch, height // b, b, width // b, b, channels))
    order = (0, 1, 3, 5, 2, 4) if data_format == "channels_first" else (0, 1, 3, 2, 4, 5)
    x = ops.reshape(ops.transpose(x, order), (batch, height // b, width // b, channels * b**2))
    return from_last(x, data_format)  # type: ignore[arg-type]
