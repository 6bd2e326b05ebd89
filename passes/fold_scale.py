"""Products and sums with constants become part of the weights beside them."""

from __future__ import annotations

from dataclasses import dataclass

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.passes.affine import (
    apply_to_operand,
    apply_to_result,
    arithmetic_as_affine,
    carried,
    loses_few_digits,
    source_of,
)
from kerac.passes.base import Pass
from kerac.passes.fuse_bias import fuse_bias
from kerac.passes.patterns import contraction, open_contraction
from kerac.passes.rewrite import Uses


def into_contraction_before(value: Value, uses: Uses) -> Value | None:
    """Scale by the kernel and the bias of the convolution or dense that makes the operand.

    def before(x: f32[N, 6]):
        kernel: f32[6, 4] = parameter("kernel")
        bias: f32[4] = parameter("bias")
        y = multiply(dense(x, kernel, bias=bias), 0.5)
        return y
    def after(x: f32[N, 6]):
        weights: f32[6, 4] = parameter("kernel")
        offsets: f32[4] = parameter("bias")
        kernel = multiply(weights, 0.5)
        bias = multiply(offsets, 0.5)
        y = dense(x, kernel, bias=bias)
        return y
    """
    affine = arithmetic_as_affine(value) if isinstance(value.op, o.Multiply) else None
    found = open_contraction(affine.x, uses) if affine else None
    return apply_to_result(found, affine) if affine and found else None


def into_contraction_after(value: Value, uses: Uses) -> Value | None:
    """Scale, and shift where no padding is, by the weights of what alone reads the result.

    def before(x: f32[N, 4]):
        kernel: f32[4, 6] = parameter("kernel")
        y = dense(add(multiply(x, 0.25), 1.0), kernel)
        return y
    def after(x: f32[N, 4]):
        weights: f32[4, 6] = parameter("kernel")
        kernel = multiply(weights, 0.25)
        y_bias = reduce_sum(weights, axes=(0,))
        y = dense(x, kernel, bias=y_bias)
        return y
    """
    found = contraction(value)
    if not found:
        return None
    source, path = source_of(found, uses)
    affine = arithmetic_as_affine(source) if uses[source] == 1 else None
    affine = carried(affine, path) if affine and loses_few_digits(affine.shift) else None
    return apply_to_operand(found, affine, value.name) if affine else None


@dataclass(frozen=True)
class FoldScale(Pass):
    """Fold constant factors and summands into weights."""

    rules = (into_contraction_before, into_contraction_after, fuse_bias)
