"""Gradients of reductions and of what normalizes along an axis."""

from __future__ import annotations

from math import prod

from kerac.ir import ops as o
from kerac.ir.gradients.registry import Applied, Cotangents, gradient_of
from kerac.ir.gradients.symbolic import Term
from kerac.ir.graph import Value
from kerac.ir.types import is_static


def kept(reduced: Value, x: Value, axes: tuple[int, ...]) -> Value:
    """What a reduction of x along `axes` gave, with length 1 there."""
    shape = tuple(1 if axis in axes else dim for axis, dim in enumerate(x.shape))
    return o.reshape(reduced, shape)


def element_count(x: Value, axes: tuple[int, ...]) -> Value:
    """How many elements of x there are along `axes`, in its dtype."""
    shape = tuple(x.shape[axis] for axis in axes)
    count = prod(shape, start=1)
    return o.constant(count, x.dtype) if is_static(shape) else o.Length(count, x.dtype)()


@gradient_of(o.ReduceSum)
def reduce_sum(at: Applied) -> Cotangents:
    """The same for every element."""
    (x,) = at.result.operands
    return (o.broadcast_to(kept(at.cotangent, x, at.op.axes), x.shape),)


@gradient_of(o.ReduceMean)
def reduce_mean(at: Applied) -> Cotangents:
    """The same for every element, divided by their number."""
    (x,) = at.result.operands
    share = o.divide(at.cotangent, element_count(x, at.op.axes))
    return (o.broadcast_to(kept(share, x, at.op.axes), x.shape),)


@gradient_of(o.ReduceMax, o.ReduceMin)
def reduce_extreme(at: Applied) -> Cotangents:
    """To the extreme elements alone, in equal shares."""
    (x,) = at.result.operands
    axes = at.op.axes
    chosen = o.cast(o.Equal()(x, kept(at.result, x, axes)), x.dtype)
    count = o.reduce_sum(chosen, axes, keepdims=True)
    return (o.multiply(chosen, o.divide(kept(at.cotangent, x, axes), count)),)


@gradient_of(o.ReduceProduct)
def reduce_product(at: Applied) -> Cotangents:
    """The product of all other elements, also where some are zero."""
    (x,) = at.result.operands
    axes = at.op.axes
    zero = o.Equal()(x, o.constant(0, x.dtype))
    others = o.select(zero, o.constant(1, x.dtype), x)
    product = o.ReduceProduct(axes, keepdims=True)(others)
    zeros = o.reduce_sum(o.cast(zero, x.dtype), axes, keepdims=True)
    nothing = o.constant(0, x.dtype)
    without = o.select(
        zero,
        o.select(o.Equal()(zeros, o.constant(1, x.dtype)), product, nothing),
        o.select(o.Equal()(zeros, nothing), o.divide(product, others), nothing),
    )
    return (o.multiply(without, kept(at.cotangent, x, axes)),)


def _sum_along(x: Term, axis: int) -> Term:
    return Term(o.reduce_sum(x.value, (axis,), keepdims=True))


@gradient_of(o.Softmax)
def softmax(at: Applied) -> Cotangents:
    """y * (g - sum(g * y))."""
    g, y = Term(at.cotangent), Term(at.result)
    return ((y * (g - _sum_along(g * y, at.op.axis))).value,)


@gradient_of(o.LogSoftmax)
def log_softmax(at: Applied) -> Cotangents:
    """g - exp(y) * sum(g)."""
    g = Term(at.cotangent)
    powers = Term(o.Exp()(at.result))
    return ((g - powers * _sum_along(g, at.op.axis)).value,)


@gradient_of(o.Sparsemax)
def sparsemax(at: Applied) -> Cotangents:
    """g less its mean over the support, inside the support."""
    inside = o.Greater()(at.result, o.constant(0, at.result.dtype))
    support = Term(o.cast(inside, at.result.dtype))
    g = Term(at.cotangent) * support
    mean = _sum_along(g, at.op.axis) / _sum_along(support, at.op.axis)
    return ((g - support * mean).value,)
