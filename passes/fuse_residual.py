"""What is added to a convolution or dense is added before the result goes to memory."""

from __future__ import annotations

from dataclasses import dataclass

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.passes.base import Pass
from kerac.passes.patterns import open_contraction
from kerac.passes.rewrite import Uses


def fuse_residual(value: Value, uses: Uses) -> Value | None:
    """Let a convolution or dense add a tensor of its result's shape. Of two the second one does.

    def before(x: f32[N, 4], skip: f32[N, 2], kernel: f32[4, 2]):
        y = add(skip, dense(x, kernel))
        return y
    def after(x: f32[N, 4], skip: f32[N, 2], kernel: f32[4, 2]):
        y = dense(x, kernel, residual=skip)
        return y
    """
    match value:
        case Value(o.Add(), (Value() as first, Value() as second)):
            for product, other in ((second, first), (first, second)):
                found = open_contraction(product, uses)
                if found and found.residual is None and product.type == other.type:
                    return found.op(found.x, found.kernel, found.bias, other)
    return None


@dataclass(frozen=True)
class FuseResidual(Pass):
    """Give sums with convolutions and denses to these."""

    rules = (fuse_residual,)
