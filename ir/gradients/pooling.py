"""Gradients of maximum and mean over windows."""

from __future__ import annotations

import numpy as np

from kerac.ir import ops as o
from kerac.ir.gradients.convolution import padded, spread_back, without_padding
from kerac.ir.gradients.registry import WITHOUT_GRADIENT, Applied, Cotangents, gradient_of
from kerac.ir.gradients.reverse import zeros
from kerac.ir.graph import Value
from kerac.ir.ops.window import explicit_padding
from kerac.ir.types import TensorType, numpy_dtype

WITHOUT_GRADIENT[o.MaxPoolGradient] = "only maxima have a second derivative, and it is zero"


@gradient_of(o.MaxPool)
def max_pool(at: Applied) -> Cotangents:
    """To the first largest element of each window."""
    (x,) = at.result.operands
    op: o.MaxPool = at.op
    ones = (1,) * len(op.window)
    padding = explicit_padding(x.shape[1:-1], op.window, op.strides, ones, op.padding)
    back = o.MaxPoolGradient(op.window, op.strides)
    if not any(map(any, padding)):
        return (back(x, at.result, at.cotangent),)
    wide = back(padded(x, padding, float("-inf")), at.result, at.cotangent)
    return (without_padding(wide, padding, x.shape[1:-1]),)


@gradient_of(o.AveragePool)
def average_pool(at: Applied) -> Cotangents:
    """In equal shares to the elements of each window."""
    (x,) = at.result.operands
    op: o.AveragePool = at.op
    spatial, channels = x.shape[1:-1], x.shape[-1]
    ones = (1,) * len(op.window)
    padding = explicit_padding(spatial, op.window, op.strides, ones, op.padding)
    share = o.divide(at.cotangent, _counts(op, x))
    kernel = o.constant(np.ones((*op.window, 1, channels), numpy_dtype(x.dtype)))
    return (spread_back(share, kernel, spatial, op.strides, ones, padding, channels),)


def _counts(op: o.AveragePool, x: Value) -> Value:
    """How many elements each window has that are not padding."""
    number = float(np.prod(op.window))
    if op.padding == "valid":
        return o.constant(number, x.dtype)
    image = o.add(zeros(TensorType(x.dtype, (1, *x.shape[1:-1], 1))), 1.0)
    kernel = o.constant(np.ones((*op.window, 1, 1), numpy_dtype(x.dtype)))
    return o.Convolution(strides=op.strides, padding=op.padding)(image, kernel)
