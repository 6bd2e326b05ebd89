"""Statistics: averages, quantiles, counts, and the same of what is no NaN."""

from __future__ import annotations

from math import inf
from typing import Any, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError
from kerac.ops.axes import Axes, axes_within, flat, lines, number, take_last, with_axes
from kerac.ops.numbers import is_nan, where
from kerac.ops.ordering import count_before, in_order
from kerac.ops.promotion import Operand, common_dtype, floating, promoted, total_dtype, value_of
from kerac.ops.registry import operation

Method = Literal["linear", "lower", "higher", "midpoint", "nearest"]


def summed(x: Value, axes: tuple[int, ...], keepdims: bool = False) -> Value:
    """The sum in the dtype in which Keras adds."""
    return ops.reduce_sum(ops.cast(x, total_dtype(x)), axes, keepdims)


@operation()
def average(x: Value, axis: Axes = None, weights: Operand | None = None) -> Value:
    """The mean, in which elements count as much as their weights say."""
    x = floating(x)
    axes = axes_within(axis, x.ndim)
    if weights is None:
        return ops.reduce_mean(x, axes)
    x, share = (floating(v) for v in promoted(x, value_of(weights)))
    if share.ndim != x.ndim:
        if share.ndim != len(axes):
            raise ShapeError(f"weights are {share.type}, but x is {x.type}")
        shape = tuple(n if place in axes else 1 for place, n in enumerate(x.shape))
        share = ops.broadcast_to(ops.reshape(share, shape), x.shape)
    total = ops.reduce_sum(share, tuple(a for a in axes))
    return ops.reduce_sum(x * share, axes) / total


@operation()
def count_nonzero(x: Value, axis: Axes = None) -> Value:
    """How many elements are not 0."""
    found = x if x.dtype == "bool" else ops.NotEqual()(x, ops.constant(0, x.dtype))
    return ops.reduce_sum(ops.cast(found, "i32"), axes_within(axis, x.ndim))


@operation()
def ptp(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The distance of the largest element from the smallest one."""
    axes = axes_within(axis, x.ndim)
    return ops.ReduceMax(axes, keepdims)(x) - ops.ReduceMin(axes, keepdims)(x)


@operation("nn")
def moments(
    x: Value, axes: Axes, keepdims: bool = False, synchronized: bool = False
) -> tuple[Value, Value]:
    """The mean and the mean square of the distance from it."""
    x = floating(x)
    along = axes_within(axes, x.ndim)
    wide = ops.cast(x, "f32") if x.dtype in ("f16", "bf16") else x
    mean = ops.reduce_mean(wide, along, keepdims=True)
    away = wide - mean
    variance = ops.reduce_mean(away * away, along, keepdims)
    mean = mean if keepdims else ops.reshape(mean, variance.shape)
    return ops.cast(mean, x.dtype), ops.cast(variance, x.dtype)


def sorted_quantile(
    x: Value, q: Value, axis: Axes, method: str, keepdims: bool, skip: bool
) -> Value:
    """Elements of the sorted lines along axes at the shares q; between two as `method` says.

    With `skip` NaNs take no part, otherwise a line with one gives NaN.
    """
    x, q = (floating(v) for v in promoted(floating(x), floating(q)))
    table, axes = lines(x, axis)
    ordered = in_order(table)
    along = table.ndim - 1
    nan = is_nan(table)
    known = ops.reduce_sum(ops.cast(ops.LogicalNot()(nan), x.dtype), (along,), keepdims=True)
    total = known if skip else number(table.shape[-1], x.dtype)
    place = flat(q) * (total - 1.0)
    low, high = ops.maximum(ops.Floor()(place), 0.0), ops.maximum(-ops.Floor()(-place), 0.0)
    shape = (*table.shape[:-1], flat(q).shape[0])

    def at(places: Value) -> Value:
        return take_last(ordered, ops.broadcast_to(ops.cast(places, "i32"), shape))

    if method == "nearest":
        found = at(ops.Round()(place))
    elif method in ("lower", "higher"):
        found = at(low if method == "lower" else high)
    else:
        share: Any = 0.5 if method == "midpoint" else place - low
        below = at(low)
        found = below + (at(high) - below) * share
    if not skip:
        whole = ops.Equal()(known, number(table.shape[-1], x.dtype))
        found = where(whole, found, np.nan)
    found = ops.transpose(found, (along, *range(along)))
    found = with_axes(found, tuple(a + 1 for a in axes), keepdims)
    return ops.reshape(found, (*q.shape, *found.shape[1:]))


@operation()
def quantile(
    x: Value, q: Value, axis: Axes = None, method: Method = "linear", keepdims: bool = False
) -> Value:
    """The numbers that a share q of the elements lies below."""
    return sorted_quantile(x, q, axis, method, keepdims, skip=False)


@operation()
def nanquantile(
    x: Value, q: Value, axis: Axes = None, method: Method = "linear", keepdims: bool = False
) -> Value:
    """`quantile` of what is no NaN."""
    return sorted_quantile(x, q, axis, method, keepdims, skip=True)


@operation()
def percentile(
    x: Value, q: Value, axis: Axes = None, method: Method = "linear", keepdims: bool = False
) -> Value:
    """The numbers that q of a hundred elements lie below."""
    return sorted_quantile(x, floating(q) / 100.0, axis, method, keepdims, skip=False)


@operation()
def nanpercentile(
    x: Value, q: Value, axis: Axes = None, method: Method = "linear", keepdims: bool = False
) -> Value:
    """`percentile` of what is no NaN."""
    return sorted_quantile(x, floating(q) / 100.0, axis, method, keepdims, skip=True)


@operation()
def median(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The number in the middle of the sorted ones."""
    return sorted_quantile(x, ops.constant(0.5, "f32"), axis, "linear", keepdims, skip=False)


@operation()
def nanmedian(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """`median` of what is no NaN."""
    return sorted_quantile(x, ops.constant(0.5, "f32"), axis, "linear", keepdims, skip=True)


def _known(x: Value, instead: float) -> Value:
    return where(is_nan(x), instead, x) if x.tensor_type.is_float else x


@operation()
def nansum(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The sum of what is no NaN."""
    return summed(_known(x, 0.0), axes_within(axis, x.ndim), keepdims)


@operation()
def nanprod(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The product of what is no NaN."""
    known = ops.cast(_known(x, 1.0), total_dtype(x))
    return ops.ReduceProduct(axes_within(axis, x.ndim), keepdims)(known)


def _count(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    known = ops.cast(ops.LogicalNot()(is_nan(x)), x.dtype)
    return ops.reduce_sum(known, axes, keepdims)


@operation()
def nanmean(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The mean of what is no NaN."""
    x, axes = floating(x), axes_within(axis, x.ndim)
    return ops.reduce_sum(_known(x, 0.0), axes, keepdims) / _count(x, axes, keepdims)


@operation()
def nanvar(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The variance of what is no NaN."""
    return _nan_variance(floating(x), axes_within(axis, x.ndim), keepdims)


@operation()
def nanstd(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The standard deviation of what is no NaN."""
    return ops.Sqrt()(_nan_variance(floating(x), axes_within(axis, x.ndim), keepdims))


def _nan_variance(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    mean = ops.reduce_sum(_known(x, 0.0), axes, True) / _count(x, axes, True)
    away = where(is_nan(x), 0.0, x - mean)
    return ops.reduce_sum(away * away, axes, keepdims) / _count(x, axes, keepdims)


def _nan_extreme(x: Value, axis: Axes, keepdims: bool, largest: bool) -> Value:
    axes = axes_within(axis, x.ndim)
    op = (ops.ReduceMax if largest else ops.ReduceMin)(axes, keepdims)
    if not x.tensor_type.is_float:
        return op(x)
    none = ops.Equal()(_count(x, axes, keepdims), ops.constant(0, x.dtype))
    return where(none, np.nan, op(_known(x, -inf if largest else inf)))


@operation()
def nanmax(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The largest number."""
    return _nan_extreme(x, axis, keepdims, largest=True)


@operation()
def nanmin(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The smallest number."""
    return _nan_extreme(x, axis, keepdims, largest=False)


@operation()
def histogram(
    x: Value, bins: int = 10, range: tuple[float, float] | None = None
) -> tuple[Value, Value]:
    """How many elements lie in each of equal parts of a range, and where these begin and end."""
    values = flat(floating(x))
    if range is None:
        low, high = ops.ReduceMin((0,))(values), ops.ReduceMax((0,))(values)
        same = ops.Equal()(low, high)
        low, high = ops.select(same, low - 0.5, low), ops.select(same, high + 0.5, high)
    else:
        low, high = (ops.constant(end, values.dtype) for end in range)
    shares = ops.iota((bins + 1,), 0, values.dtype) * (1.0 / bins)
    edges = low * (1.0 - shares) + high * shares
    place = count_before(edges, values, "right") - 1
    place = ops.select(ops.Equal()(values, high), ops.constant(bins - 1, "i32"), place)
    inside = ops.Equal()(ops.reshape(place, (*place.shape, 1)), ops.iota((1, bins), 1))
    dtype = "f32" if x.dtype in ("bool",) else common_dtype(values)
    return ops.reduce_sum(ops.cast(inside, dtype), (0,)), edges
