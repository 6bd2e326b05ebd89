"""Order: sorting, the largest and smallest elements, places among sorted ones."""

from __future__ import annotations

from math import inf

from kerac.ir import Value, ops
from kerac.ir.dims import DimLike
from kerac.ops.axes import back, flat, last, number, part, take_last, with_axes
from kerac.ops.numbers import is_finite, is_nan, where
from kerac.ops.promotion import promoted
from kerac.ops.registry import operation


def comparable(x: Value) -> Value:
    """x as numbers that can be ordered."""
    return ops.cast(x, "u8") if x.dtype == "bool" else x


def places_in_order(x: Value) -> Value:
    """Places along the last axis in ascending order of their elements."""
    return ops.ArgSort()(comparable(x))


def in_order(x: Value) -> Value:
    """x in ascending order along the last axis, NaNs last."""
    return take_last(x, places_in_order(x))


@operation()
def sort(x: Value, axis: int | None = -1) -> Value:
    """Elements in ascending order."""
    ends, place = last(x, axis)
    found = in_order(ends)
    return found if axis is None else back(found, place)


@operation()
def argsort(x: Value, axis: int | None = -1) -> Value:
    """Places in ascending order of their elements."""
    ends, place = last(x, axis)
    found = places_in_order(ends)
    return found if axis is None else back(found, place)


@operation()
def argpartition(x: Value, kth: int, axis: int | None = -1) -> Value:
    """Places of the smaller elements, of the kth, and of the larger ones; here all in order."""
    ends, place = last(x, axis)
    found = places_in_order(ends)
    return found if axis is None else back(found, place)


def descending_places(x: Value) -> Value:
    """Places along the last axis in descending order; equal elements stay in order."""
    axis = x.ndim - 1
    backwards = places_in_order(ops.reverse(x, (axis,)))
    top = number(x.shape[-1]) - 1
    return top - ops.reverse(backwards, (axis,))


@operation("math")
def top_k(x: Value, k: int, sorted: bool = True) -> tuple[Value, Value]:
    """The k largest elements along the last axis, and their places."""
    places = part(descending_places(x), x.ndim - 1, 0, k)
    return take_last(x, places), places


@operation("math")
def in_top_k(targets: Value, predictions: Value, k: int) -> Value:
    """Whether a target is among the k largest predictions."""
    wanted = take_last(predictions, ops.reshape(ops.cast(targets, "i32"), (*targets.shape, 1)))
    above = ops.cast(predictions > wanted, "i32")
    count = ops.reduce_sum(above, (predictions.ndim - 1,))
    known = is_finite(wanted)
    return ops.LogicalAnd()(count < k, ops.reshape(known, targets.shape))


def first_place(x: Value, axis: int | None, keepdims: bool, largest: bool) -> Value:
    """The first place of the largest or smallest element; a NaN counts as such."""
    ndim = x.ndim
    ends, place = last(comparable(x), axis)
    along = ends.ndim - 1
    op = ops.ReduceMax if largest else ops.ReduceMin
    found = ops.Equal()(ends, op((along,), True)(ends))
    if ends.tensor_type.is_float:
        found = ops.LogicalOr()(found, is_nan(ends))
    length: DimLike = ends.shape[-1]
    places = ops.iota((*(1,) * along, length), along)
    first = ops.ReduceMin((along,))(ops.select(found, places, number(length)))
    return with_axes(first, tuple(range(ndim)) if axis is None else (place,), keepdims)


@operation()
def argmax(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The first place of the largest element."""
    return first_place(x, axis, keepdims, largest=True)


@operation()
def argmin(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The first place of the smallest element."""
    return first_place(x, axis, keepdims, largest=False)


def _without_nan(x: Value, axis: int | None, keepdims: bool, largest: bool) -> Value:
    """The first place of an extreme number; -1 where there is none."""
    if not x.tensor_type.is_float:
        return first_place(x, axis, keepdims, largest)
    nan = is_nan(x)
    found = first_place(where(nan, -inf if largest else inf, x), axis, keepdims, largest)
    ends, place = last(ops.cast(nan, "i32"), axis)
    all_nan = ops.ReduceMin((ends.ndim - 1,))(ends)
    all_nan = with_axes(all_nan, tuple(range(x.ndim)) if axis is None else (place,), keepdims)
    return ops.select(all_nan > 0, ops.constant(-1, "i32"), found)


@operation()
def nanargmax(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The first place of the largest number."""
    return _without_nan(x, axis, keepdims, largest=True)


@operation()
def nanargmin(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The first place of the smallest number."""
    return _without_nan(x, axis, keepdims, largest=False)


def count_before(sequence: Value, values: Value, side: str) -> Value:
    """How many elements of a sorted vector lie before each value."""
    sequence, values = promoted(sequence, values)
    wide = ops.reshape(values, (*values.shape, 1))
    before = ops.LessEqual() if side == "right" else ops.Less()
    found = ops.cast(before(sequence, wide), "i32")
    return ops.reduce_sum(found, (found.ndim - 1,))


@operation(class_name="SearchSorted")
def searchsorted(sorted_sequence: Value, values: Value, side: str = "left") -> Value:
    """Where values must be put into a sorted vector so that it stays sorted."""
    return count_before(sorted_sequence, values, side)


@operation()
def digitize(x: Value, bins: Value) -> Value:
    """The numbers of the bins that elements lie in; `bins` are the ends of all but the last."""
    return count_before(bins, x, "right")


@operation(class_name="IsIn")
def isin(x1: Value, x2: Value, assume_unique: bool = False, invert: bool = False) -> Value:
    """Whether elements of x1 are among those of x2."""
    x1, x2 = promoted(x1, x2)
    wide = ops.reshape(x1, (*x1.shape, 1))
    same = ops.cast(ops.Equal()(wide, flat(x2)), "i32")
    found = ops.reduce_sum(same, (same.ndim - 1,))
    zero = ops.constant(0, "i32")
    return (ops.Equal() if invert else ops.Greater())(found, zero)
