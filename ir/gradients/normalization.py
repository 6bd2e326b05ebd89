"""Gradients of normalization."""

from __future__ import annotations

from kerac.ir import ops as o
from kerac.ir.gradients.reduction import element_count
from kerac.ir.gradients.registry import Applied, Cotangents, gradient_of
from kerac.ir.gradients.symbolic import Term
from kerac.ir.graph import Value
from kerac.ir.types import Shape


@gradient_of(o.BatchNorm)
def batch_norm(at: Applied) -> Cotangents:
    """Statistics are operands: what they come from has its own gradient."""
    x, mean, variance, gamma, beta = (*at.inputs, None, None)[:5]
    if x is None or mean is None or variance is None:
        return ()
    axis = at.op.axis
    others = tuple(place for place in range(x.ndim) if place != axis)
    shape = tuple(dim if place == axis else 1 for place, dim in enumerate(x.shape))
    g = Term(at.cotangent)
    scale = Term(o.Rsqrt()(o.add(variance, at.op.epsilon)))
    factor = scale if gamma is None else scale * Term(gamma)
    spread = Term(o.reshape(factor.value, shape))
    centred = Term(x) - Term(o.reshape(mean, shape))
    summed = Term(o.reduce_sum(at.cotangent, others))
    product = Term(o.reduce_sum((g * centred).value, others))
    return (
        (g * spread).value,
        (-(summed * factor)).value,
        (product * factor * scale * scale * -0.5).value,
        None if gamma is None else (product * scale).value,
        None if beta is None else summed.value,
    )


@gradient_of(o.LayerNorm)
def layer_norm(at: Applied) -> Cotangents:
    """Through mean and variance as well."""
    x, gamma, beta = (*at.inputs, None, None)[:3]
    if x is None:
        return ()
    axes = at.op.axes
    shape: Shape = tuple(dim if axis in axes else 1 for axis, dim in enumerate(x.shape))
    others = tuple(axis for axis in range(x.ndim) if axis not in axes)

    def mean(value: Term) -> Term:
        total = o.reduce_sum(value.value, axes, keepdims=True)
        return Term(total) / Term(element_count(x, axes))

    centred = Term(x) - mean(Term(x))
    scale = Term(o.Rsqrt()(o.add(mean(centred * centred).value, at.op.epsilon)))
    normal = centred * scale
    g = Term(at.cotangent)
    inner = g if gamma is None else g * Term(o.reshape(gamma, shape))
    to_x = (inner - mean(inner) - normal * mean(inner * normal)) * scale

    def to_weight(weight: Value | None, value: Term) -> Value | None:
        if weight is None:
            return None
        return o.reshape(o.reduce_sum(value.value, others), weight.shape)

    return to_x.value, to_weight(gamma, g * normal), to_weight(beta, g)
