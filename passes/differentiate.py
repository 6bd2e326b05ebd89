"""Reverse-mode differentiation: the gradients of a scalar, as values of the same graph."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.ir import Origin, ShapeError, Value, ops, origin_scope
from kerac.ir.gradients.reverse import PASS, reverse, zeros


def gradients(output: Value, wrt: Sequence[Value]) -> list[Value]:
    """d output / d value for each value of `wrt`, of its type; zeros where nothing depends on it.

    `output` is a floating-point scalar. What is made carries the origins of the values it flows
    back through. The gradients do not depend on names or on the order of `wrt`.
    """
    if isinstance(output.type, tuple) or output.shape or not output.tensor_type.is_float:
        raise ShapeError(f"gradients are those of a floating-point scalar, but got {output.type}")
    for value in wrt:
        if not value.tensor_type.is_float:
            raise ShapeError(f"{value.name} is {value.type}, but only floats have gradients")
    with origin_scope(Origin(output.origin.layers, (PASS,))):
        found = reverse([output], [ops.constant(1, output.dtype)], wrt)
        return [
            zeros(value.tensor_type) if cotangent is None else cotangent
            for value, cotangent in zip(wrt, found, strict=True)
        ]
