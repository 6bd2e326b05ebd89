"""One element for many along axes."""

from __future__ import annotations

from typing import Any

from kerac import backend
from kerac.ir import Value, ops
from kerac.ops.axes import Axes, axes_within
from kerac.ops.numbers import where
from kerac.ops.pairs import together
from kerac.ops.promotion import chosen_dtype, floating, number_like, total_dtype
from kerac.ops.registry import operation


@operation()
def mean(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """Arithmetic mean along axes."""
    return ops.ReduceMean(axes_within(axis, x.ndim), keepdims)(floating(x))


@operation()
def sum_(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """Sum along axes."""
    return ops.ReduceSum(axes_within(axis, x.ndim), keepdims)(ops.cast(x, total_dtype(x)))


@operation()
def prod(x: Value, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> Value:
    """Product along axes."""
    x = ops.cast(x, chosen_dtype(dtype, total_dtype(x)))
    return ops.ReduceProduct(axes_within(axis, x.ndim), keepdims)(x)


def _extreme(x: Value, axes: Axes, keepdims: bool, largest: bool) -> Value:
    op = ops.ReduceMax if largest else ops.ReduceMin
    wide = ops.cast(x, "u8") if x.dtype == "bool" else x
    return ops.cast(op(axes_within(axes, x.ndim), keepdims)(wide), x.dtype)


@operation()
def max_(
    x: Value, axis: Axes = None, keepdims: bool = False, initial: Any = None
) -> Value:
    """Largest element along axes, or a number that is larger."""
    found = _extreme(x, axis, keepdims, largest=True)
    return found if initial is None else ops.Maximum()(*together(found, initial))


@operation()
def min_(
    x: Value, axis: Axes = None, keepdims: bool = False, initial: Any = None
) -> Value:
    """Smallest element along axes, or a number that is smaller."""
    found = _extreme(x, axis, keepdims, largest=False)
    return found if initial is None else ops.Minimum()(*together(found, initial))


@operation()
def amax(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """Largest element along axes."""
    return _extreme(x, axis, keepdims, largest=True)


@operation()
def amin(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """Smallest element along axes."""
    return _extreme(x, axis, keepdims, largest=False)


def _truth(x: Value) -> Value:
    return x if x.dtype == "bool" else ops.NotEqual()(x, number_like(0, x))


@operation()
def any_(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """Whether any element along axes is true."""
    return _extreme(_truth(x), axis, keepdims, largest=True)


@operation()
def all_(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """Whether all elements along axes are true."""
    return _extreme(_truth(x), axis, keepdims, largest=False)


def variance(x: Value, axis: Axes, keepdims: bool) -> Value:
    """The mean square of the distance from the mean."""
    x, axes = floating(x), axes_within(axis, x.ndim)
    away = x - ops.reduce_mean(x, axes, keepdims=True)
    return ops.reduce_mean(away * away, axes, keepdims)


@operation()
def var(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The mean square of the distance from the mean."""
    return variance(x, axis, keepdims)


@operation()
def std(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """The square root of the variance."""
    return ops.Sqrt()(variance(x, axis, keepdims))


@operation("math")
def logsumexp(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """log(sum(exp(x))), without overflow."""
    x, axes = floating(x), axes_within(axis, x.ndim)
    top = ops.reduce_max(x, axes, keepdims=True)
    # where all are -inf, or one is inf, their difference is no number
    top = where(abs(top) < float("inf"), top, 0.0)
    total = ops.reduce_sum(ops.Exp()(x - ops.StopGradient()(top)), axes, keepdims=True)
    found = ops.Log()(total) + ops.StopGradient()(top)
    kept = tuple(length for place, length in enumerate(x.shape) if place not in axes)
    return found if keepdims else ops.reshape(found, kept)


@operation("nn")
def normalize(x: Value, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Value:
    """x over its norm of an order along an axis, which is not taken below epsilon."""
    x, axes = floating(x), axes_within(axis, x.ndim)
    smallest = backend.epsilon() if epsilon is None else epsilon
    if order == 2:
        total = ops.reduce_sum(x * x, axes, keepdims=True)
        return x * ops.Rsqrt()(ops.maximum(total, smallest**2))
    from kerac.ops.linear_algebra import norm

    return x / ops.maximum(norm(x, ord=order, axis=axes, keepdims=True), smallest)
