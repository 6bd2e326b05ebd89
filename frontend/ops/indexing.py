"""Parts by number: taken, put in place of others, and combined by segments."""

from __future__ import annotations

from math import inf, prod
from typing import Any, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.dims import DimLike
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.images.sampling import row_number
from kerac.ops.axes import (
    axis_within,
    back,
    filled,
    flat,
    from_behind,
    moved,
    number,
    part,
    take_last,
    without_axis,
)
from kerac.ops.promotion import value_of
from kerac.ops.registry import Places, on_arrays, operation

COUNTED = "the length of its result depends on the numbers in it"


@operation(class_name="TakeAlongAxis")
def take_along_axis(x: Value, indices: Value, axis: int | None = None) -> Value:
    """Elements along an axis by their places, others for each line."""
    if axis is None:
        return take_last(flat(x), from_behind(flat(indices), prod(x.shape, start=1)))
    place = axis_within(axis, x.ndim)
    table, places = moved(x, place, x.ndim - 1), moved(indices, place, x.ndim - 1)
    batch = tuple(
        b if a == 1 else a for a, b in zip(table.shape[:-1], places.shape[:-1], strict=True)
    )
    table = ops.broadcast_to(table, (*batch, table.shape[-1]))
    places = ops.broadcast_to(places, (*batch, places.shape[-1]))
    return back(take_last(table, from_behind(places, table.shape[-1])), place)


def take_places(x: Value, axis: int, places: Value) -> Value:
    """x: t[..., L, ...] at places: i32[K] along an axis."""
    return moved(ops.gather(moved(x, axis, 0), places), 0, axis)


@operation("core")
def slice_(inputs: Value, start_indices: Places, shape: tuple[Any, ...]) -> Value:
    """The part of a shape that begins at a place; it stays inside."""
    if isinstance(start_indices, Value):
        return _computed_part(inputs, start_indices, shape)
    for axis, (start, length) in enumerate(zip(start_indices, shape, strict=True)):
        whole = inputs.shape[axis]
        length = whole - start if isinstance(length, int) and length == -1 else length
        if all(isinstance(n, int) for n in (start, whole, length)):
            start = max(min(start, whole - length), 0)
        inputs = part(inputs, axis, start, start + length)
    return inputs


def _computed_part(inputs: Value, start_indices: Value, shape: tuple[Any, ...]) -> Value:
    for axis, length in enumerate(shape):
        if isinstance(length, int) and length == -1:
            raise ShapeError("a length of shape is -1, but where the part begins is computed")
        if length != inputs.shape[axis]:
            first = _inside(start_indices, axis, inputs.shape[axis], length)
            inputs = take_places(inputs, axis, ops.iota((length,), 0) + first)
    return inputs


def _inside(start_indices: Value, axis: int, whole: DimLike, length: DimLike) -> Value:
    """Where a part begins along an axis, so that it ends inside."""
    first = ops.cast(without_axis(part(start_indices, 0, axis, axis + 1), 0), "i32")
    first = ops.select(first < 0, first + number(whole), first)
    return ops.maximum(ops.minimum(first, number(whole - length)), 0)


@operation("core")
def slice_update(inputs: Value, start_indices: Places, updates: Value) -> Value:
    """inputs, with updates in the part that begins at a place; it stays inside."""
    updates, start_indices = ops.cast(updates, inputs.dtype), value_of(start_indices)
    inside: Value | None = None
    for axis, (whole, length) in enumerate(zip(inputs.shape, updates.shape, strict=True)):
        if whole == length:
            continue
        first = _inside(start_indices, axis, whole, length)
        places = ops.iota((whole,), 0) - first
        updates = take_places(updates, axis, places)
        here = ops.LogicalAnd()(places >= 0, places < number(length))
        here = ops.reshape(here, (whole, *(1,) * (inputs.ndim - axis - 1)))
        inside = here if inside is None else ops.LogicalAnd()(inside, here)
    return updates if inside is None else ops.select(inside, updates, inputs)


REDUCTIONS = {None: "set", "add": "add", "max": "maximum", "min": "minimum", "mul": "multiply"}


def scattered(inputs: Value, indices: Value, updates: Value, reduction: str) -> Value:
    """inputs, changed where the last axis of indices says, by updates: t[*I, *rest]"""
    depth = indices.shape[-1]
    if not isinstance(depth, int) or depth > inputs.ndim:
        raise ShapeError(f"indices are {indices.type}, but inputs are {inputs.type}")
    lengths = inputs.shape[:depth]
    rows, width = prod(lengths, start=1), prod(inputs.shape[depth:], start=1)
    count = prod(indices.shape[:-1], start=1)
    table = ops.reshape(indices, (count, depth))
    columns = [
        from_behind(without_axis(part(table, 1, axis, axis + 1), 1), length)
        for axis, length in enumerate(lengths)
    ]
    place = row_number(columns, lengths)
    for column, length in zip(columns, lengths, strict=True):
        inside = ops.LogicalAnd()(column >= 0, column < number(length))
        place = ops.select(inside, place, ops.constant(-1, "i32"))
    whole = (*indices.shape[:-1], *inputs.shape[depth:])
    news = ops.reshape(ops.broadcast_to(ops.cast(updates, inputs.dtype), whole), (count, width))
    changed = ops.Scatter(reduction)(ops.reshape(inputs, (rows, width)), place, news)
    return ops.reshape(changed, inputs.shape)


@operation("core")
def scatter(indices: Value, values: Value, shape: tuple[Any, ...]) -> Value:
    """Zeros in a shape, with values added where indices say."""
    return scattered(filled(0, shape, values.dtype), indices, values, "add")


@operation("core")
def scatter_update(
    inputs: Value,
    indices: Value,
    updates: Value,
    reduction: Literal["add", "max", "min", "mul"] | None = None,
) -> Value:
    """inputs, with updates in place of elements, or combined with them."""
    if reduction not in REDUCTIONS:
        raise CompileError(f"reduction is {reduction!r}, but must be None, add, max, min or mul")
    return scattered(inputs, indices, updates, REDUCTIONS[reduction])


# Segments


def _number_of_segments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Where it is not given, arrays say how many there are."""
    ids = arguments.get("segment_ids")
    if arguments.get("num_segments") is None and isinstance(ids, np.ndarray | list | tuple):
        arguments["num_segments"] = int(np.max(ids, initial=-1)) + 1
    return arguments


def _segments(
    name: str, data: Value, ids: Value, count: int | None, reduction: str, start: float
) -> Value:
    if count is None:
        raise CompileError(
            f"{name}: num_segments is None, but must be given for tensors of a graph"
        )
    rows = data.shape[0]
    width = prod(data.shape[1:], start=1)
    empty = filled(_neutral(start, data), (count, width), data.dtype)
    table = ops.Scatter(reduction)(empty, ops.cast(ids, "i32"), ops.reshape(data, (rows, width)))
    return ops.reshape(table, (count, *data.shape[1:]))


def _neutral(start: float, x: Value) -> float:
    """What changes nothing, in the dtype of x."""
    if x.tensor_type.is_float or start in (0, 1):
        return start
    limits = np.iinfo(x.tensor_type.numpy_dtype)
    return limits.min if start < 0 else limits.max


@operation("math", "SegmentSum", prepare=_number_of_segments)
def segment_sum(
    data: Value, segment_ids: Value, num_segments: int | None = None, sorted: bool = False
) -> Value:
    """The sums of rows that have one number."""
    return _segments("segment_sum", data, segment_ids, num_segments, "add", 0)


@operation("math", "SegmentMax", prepare=_number_of_segments)
def segment_max(
    data: Value, segment_ids: Value, num_segments: int | None = None, sorted: bool = False
) -> Value:
    """The largest elements of rows that have one number."""
    return _segments("segment_max", data, segment_ids, num_segments, "maximum", -inf)


@operation("math", "SegmentMin", prepare=_number_of_segments)
def segment_min(
    data: Value, segment_ids: Value, num_segments: int | None = None, sorted: bool = False
) -> Value:
    """The smallest elements of rows that have one number."""
    return _segments("segment_min", data, segment_ids, num_segments, "minimum", inf)


@operation("math", "SegmentProd", prepare=_number_of_segments)
def segment_prod(
    data: Value, segment_ids: Value, num_segments: int | None = None, sorted: bool = False
) -> Value:
    """The products of rows that have one number."""
    return _segments("segment_prod", data, segment_ids, num_segments, "multiply", 1)


def _number_of_bins(arguments: dict[str, Any]) -> dict[str, Any]:
    x = arguments.get("x")
    if isinstance(x, np.ndarray | list | tuple):
        found = int(np.max(x, initial=-1)) + 1
        arguments["minlength"] = max(found, arguments.get("minlength") or 0)
    return arguments


@operation(prepare=_number_of_bins)
def bincount(
    x: Value, weights: Value | None = None, minlength: int = 0, sparse: bool = False
) -> Value:
    """How often each number occurs; on tensors of a graph numbers lie below `minlength`."""
    if not minlength:
        raise CompileError("minlength is 0, but must be given for tensors of a graph")
    wide = ops.reshape(x, (*x.shape, 1))
    here = ops.Equal()(ops.cast(wide, "i32"), ops.iota((minlength,), 0))
    along = (x.ndim - 1,)
    if weights is None:
        return ops.reduce_sum(ops.cast(here, "i32"), along)
    share = ops.reshape(weights, (*weights.shape, 1))
    return ops.reduce_sum(ops.cast(here, share.dtype) * share, along)


# Results whose length depends on numbers


@on_arrays(COUNTED)
def nonzero(x: Any) -> Any:
    """The places of elements that are not 0, one array for each axis."""
    return list(np.nonzero(np.asarray(x)))


@on_arrays(COUNTED)
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Each number once, and on demand where it occurs first, where all are, and how often."""
    array = np.asarray(x)
    found = np.unique(array, True, True, True, axis=axis)
    parts = list(found)
    parts[2] = parts[2].reshape(array.shape if axis is None else (-1,))
    if size is not None:
        along = axis or 0
        fill = parts[0].take([0], along) if fill_value is None else fill_value
        parts[0] = _to_size(parts[0], size, along, fill)
        parts[1] = _to_size(parts[1], size, 0, parts[1][:1])
        parts[3] = _to_size(parts[3], size, 0, 0)
    wanted = [True, return_index, return_inverse, return_counts]
    kept = tuple(p for p, want in zip(parts, wanted, strict=True) if want)
    return kept if len(kept) > 1 else kept[0]


def _to_size(x: Any, size: int, axis: int, fill: Any) -> Any:
    lacking = size - x.shape[axis]
    if lacking <= 0:
        return x.take(range(size), axis)
    shape = list(x.shape)
    shape[axis] = lacking
    return np.concatenate([x, np.broadcast_to(np.asarray(fill, x.dtype), shape)], axis)
