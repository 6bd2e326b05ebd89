"""A constant that is added along the last axis of a convolution or dense becomes its bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.passes.base import Pass
from kerac.passes.patterns import (
    along_last_axis,
    array_of,
    constant_like,
    either_order,
    open_contraction,
)
from kerac.passes.rewrite import Uses


def fuse_bias(value: Value, uses: Uses) -> Value | None:
    """Let a convolution or dense add a constant.

    def before(x: f32[N, 4], kernel: f32[4, 2]):
        bias: f32[2] = parameter("bias")
        y = add(dense(x, kernel), bias)
        return y
    def after(x: f32[N, 4], kernel: f32[4, 2]):
        bias: f32[2] = parameter("bias")
        y = dense(x, kernel, bias=bias)
        return y
    """
    if not isinstance(value.op, o.Add):
        return None
    for product, summand in either_order(value):
        found, array = open_contraction(product, uses), array_of(summand)
        if not found or array is None or product.type != value.type:
            continue
        vector = along_last_axis(array, product.tensor_type)
        if vector is None:
            continue
        bias = summand
        if found.bias is not None:
            known = array_of(found.bias)
            if known is None:
                continue
            bias = constant_like(known.astype(np.float64) + vector, value, found.bias.name)
        elif summand.shape != vector.shape:
            bias = constant_like(np.ascontiguousarray(vector), value, f"{product.name}_bias")
        return found.op(found.x, found.kernel, bias, found.residual)
    return None


@dataclass(frozen=True)
class FuseBias(Pass):
    """Give constants that are added to convolutions and denses to these."""

    rules = (fuse_bias,)
