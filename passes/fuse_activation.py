"""A convolution or dense applies the activation function that is its only consumer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.passes.base import Pass
from kerac.passes.patterns import open_contraction
from kerac.passes.rewrite import Uses


def fuse_activation(value: Value, uses: Uses) -> Value | None:
    """Let a convolution or dense apply the function of one operand that alone reads its result.

    def before(x: f32[N, 8, 8, 3], kernel: f32[3, 3, 3, 4]):
        y = relu(convolution(x, kernel))
        return y
    def after(x: f32[N, 8, 8, 3], kernel: f32[3, 3, 3, 4]):
        y = convolution(x, kernel, activation="relu")
        return y
    """
    match value:
        case Value(o.Unary() as activation, (Value() as product,)):
            found = open_contraction(product, uses)
            if found:
                return replace(found.op, activation=activation)(*product.inputs)
    return None


@dataclass(frozen=True)
class FuseActivation(Pass):
    """Give activation functions to the convolutions and denses before them."""

    rules = (fuse_activation,)
