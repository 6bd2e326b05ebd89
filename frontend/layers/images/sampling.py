"""Images read at places between pixels: each pixel of a result names where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product

from kerac.ir import Value, ops
from kerac.ir.dims import DimLike

Matrix = tuple[Value | float, ...]
"""a0 a1 a2 b0 b1 b2, f32[N, 1, 1] or numbers: x = a0 X + a1 Y + a2, y = b0 X + b1 Y + b2."""


def length(dim: DimLike, dtype: str = "f32") -> Value:
    """A dimension as a number."""
    return ops.constant(dim, dtype) if isinstance(dim, int) else ops.Length(dim, dtype)()


def grid(images: Value) -> tuple[Value, Value]:
    """Columns f32[1, 1, W] and rows f32[1, H, 1] of the pixels."""
    _, height, width, _ = images.shape
    return ops.iota((1, 1, width), 2, "f32"), ops.iota((1, height, 1), 1, "f32")


def affine(
    images: Value, matrix: Matrix, interpolation: str, fill_mode: str, fill_value: float
) -> Value:
    """images: f32[N, H, W, C], each pixel from where the matrix says."""
    columns, rows = grid(images)
    x, y = (_linear(columns, rows, matrix[start : start + 3]) for start in (0, 3))
    return sample(images, y, x, interpolation, fill_mode, fill_value)


def _linear(columns: Value, rows: Value, row: Matrix) -> Value:
    terms = [
        _product(place, factor)
        for place, factor in zip((columns, rows, None), row, strict=True)
        if not isinstance(factor, float) or factor
    ]
    total = terms[0]
    for term in terms[1:]:
        total = ops.add(total, term)
    return total


def _product(place: Value | None, factor: Value | float) -> Value:
    if place is None:
        return factor if isinstance(factor, Value) else ops.constant(factor, "f32")
    return place if factor == 1.0 else ops.multiply(place, factor)


def sample(
    images: Value, y: Value, x: Value, interpolation: str, fill_mode: str, fill_value: float
) -> Value:
    """images: f32[N, H, W, C] at y, x: f32[N or 1, h or 1, w or 1] -> f32[N, h, w, C]

    Places outside are what `fill_mode` says: the nearest pixel, the image again (`wrap`), its
    mirror image with or without the border twice (`reflect`, `mirror`), or `fill_value`.
    """
    batch, height, width, channels = images.shape
    table = ops.reshape(images, (batch * height * width, channels))
    base = ops.multiply(ops.iota((batch, 1, 1), 0), length(height * width, "i32"))
    how = (interpolation, fill_mode, fill_value)
    return read_between(table, (height, width), (y, x), base, how)


def read_between(
    table: Value,
    lengths: Sequence[DimLike],
    places: Sequence[Value],
    base: Value | None,
    how: tuple[str, str, float],
) -> Value:
    """Rows of a table t[prod(lengths), C], `base` rows further on, at places between them.

    places: f32[*P] along each axis; base: i32 that broadcasts to [*P]; `how` is interpolation, fill
    mode and fill value -> t[*P, C]
    """
    interpolation, fill_mode, fill_value = how
    total: Value | None = None
    for corner in product(*(neighbours(place, interpolation) for place in places)):
        index = [
            ops.cast(inside(place, dim, fill_mode), "i32")
            for (place, _), dim in zip(corner, lengths, strict=True)
        ]
        row = row_number(index, lengths)
        found = ops.gather(table, row if base is None else ops.add(base, row))
        if fill_mode == "constant":
            pairs = zip(corner, lengths, strict=True)
            known = reduce(ops.LogicalAnd(), [is_inside(place, dim) for (place, _), dim in pairs])
            known = ops.reshape(known, (*known.shape, 1))
            found = ops.select(known, found, ops.constant(fill_value, found.dtype))
        weights = [weight for _, weight in corner if weight is not None]
        if weights:
            weight = reduce(ops.multiply, weights)
            found = ops.multiply(found, ops.reshape(weight, (*weight.shape, 1)))
        total = found if total is None else ops.add(total, found)
    assert total is not None  # noqa: S101
    return total


def row_number(places: Sequence[Value], lengths: Sequence[DimLike]) -> Value:
    """The place in a flat array of shape `lengths` that places along its axes mean."""
    total: Value | None = None
    for place, dim in zip(places, lengths, strict=True):
        total = place if total is None else total * length(dim, "i32") + place
    return ops.constant(0, "i32") if total is None else total


def neighbours(place: Value, interpolation: str) -> list[tuple[Value, Value | None]]:
    """Whole places and how much each counts; None stands for 1."""
    if interpolation == "nearest":
        below = ops.Negative()(ops.Floor()(ops.add(ops.Negative()(place), 0.5)))
        above = ops.Floor()(ops.add(place, 0.5))
        # halves go away from zero
        return [(ops.select(_less(place, 0.0), below, above), None)]
    lower = ops.Floor()(place)
    share = ops.subtract(place, lower)
    rest = ops.add(ops.Negative()(share), 1.0)
    return [(lower, rest), (ops.add(lower, 1.0), share)]


def _less(x: Value, bound: Value | float) -> Value:
    return ops.binary(ops.Less(), x, bound)


def is_inside(place: Value, dim: DimLike) -> Value:
    """Whether places are within 0 ... dim - 1."""
    return ops.LogicalAnd()(ops.binary(ops.GreaterEqual(), place, 0.0), _less(place, length(dim)))


def inside(place: Value, dim: DimLike, fill_mode: str) -> Value:
    """Whole places within 0 ... dim - 1; what is left outside, `gather` clamps."""
    size = length(dim)
    if fill_mode == "wrap":
        return _remainder(place, size)
    if fill_mode == "reflect":
        period = ops.multiply(size, 2.0)
        inside = _remainder(place, period)
        back = ops.subtract(ops.subtract(period, inside), 1.0)
        return ops.minimum(inside, back)
    if fill_mode == "mirror":
        last = ops.subtract(size, 1.0)
        away = ops.subtract(_remainder(ops.add(place, last), ops.multiply(last, 2.0)), last)
        return ops.Absolute()(away)
    return ops.minimum(ops.maximum(place, 0.0), ops.subtract(size, 1.0))


def _remainder(x: Value, period: Value) -> Value:
    """x modulo a period, for whole numbers; never negative."""
    return ops.subtract(x, ops.multiply(ops.Floor()(ops.divide(x, period)), period))
