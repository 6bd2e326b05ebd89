"""Sums, products and other combinations of all elements up to each one."""

from __future__ import annotations

from typing import Any

from kerac.ir import Value, ops
from kerac.ops.axes import axis_within, filled, flat, known_length, part
from kerac.ops.numbers import is_nan, where
from kerac.ops.promotion import chosen_dtype
from kerac.ops.registry import operation


def _prepared(x: Value, axis: int | None, dtype: Any) -> tuple[Value, int]:
    default = "i32" if x.dtype == "bool" else x.dtype
    x = ops.cast(x, chosen_dtype(dtype, default))
    return (flat(x), 0) if axis is None else (x, axis_within(axis, x.ndim))


@operation()
def cumsum(x: Value, axis: int | None = None, dtype: Any = None) -> Value:
    """The sum of each element and all before it."""
    x, place = _prepared(x, axis, dtype)
    return ops.CumulativeSum(place)(x)


@operation()
def cumprod(x: Value, axis: int | None = None, dtype: Any = None) -> Value:
    """The product of each element and all before it; the number of elements must be known."""
    x, place = _prepared(x, axis, dtype)
    return cumulative_product(x, place)


def cumulative_product(x: Value, axis: int) -> Value:
    """Products over twice as many elements in every step (Hillis and Steele, 1986)."""
    length = known_length(x.shape[axis], "the number of elements to multiply")
    shift = 1
    while shift < length:
        ones = filled(1, (*x.shape[:axis], shift, *x.shape[axis + 1 :]), x.dtype)
        x = x * ops.concatenate([ones, part(x, axis, 0, length - shift)], axis)
        shift *= 2
    return x


def _known(x: Value, number: float) -> Value:
    return where(is_nan(x), number, x) if x.tensor_type.is_float else x


@operation()
def nancumsum(x: Value, axis: int | None = None, dtype: Any = None) -> Value:
    """`cumsum`, where NaN counts as 0."""
    x, place = _prepared(_known(x, 0.0), axis, dtype)
    return ops.CumulativeSum(place)(x)


@operation()
def nancumprod(x: Value, axis: int | None = None, dtype: Any = None) -> Value:
    """`cumprod`, where NaN counts as 1."""
    x, place = _prepared(_known(x, 1.0), axis, dtype)
    return cumulative_product(x, place)


@operation()
def diff(a: Value, n: int = 1, axis: int = -1) -> Value:
    """Differences of neighbours, n times."""
    place = axis_within(axis, a.ndim)
    for _ in range(n):
        length = a.shape[place]
        one, other = part(a, place, 1, length), part(a, place, 0, length - 1)
        a = ops.NotEqual()(one, other) if a.dtype == "bool" else one - other
    return a
