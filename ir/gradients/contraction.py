"""Gradients of products summed over an axis."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from kerac.ir import ops as o
from kerac.ir.errors import InternalError
from kerac.ir.gradients.registry import Applied, Cotangents, gradient_of
from kerac.ir.graph import Value


def before_epilogue(at: Applied) -> Value:
    """The cotangent of the sums, before bias, residual and activation."""
    cotangent: Value = at.cotangent
    if at.op.activation is None:
        return cotangent
    sums = replace(at.op, activation=None)(*at.inputs)
    part: Value | None
    (part,) = at.op.activation.vjp(sums, result=at.result, cotangent=cotangent)
    if part is None:
        raise InternalError(f"{at.op.activation.text_name} stops the gradient")
    return part


def to_bias(cotangent: Value, bias: Value | None) -> Value | None:
    """The sum over all axes but the last."""
    if bias is None:
        return None
    return o.reduce_sum(cotangent, tuple(range(cotangent.ndim - 1)))


def as_rows(x: Value) -> Value:
    """x as a matrix of rows along its last axis."""
    return o.reshape(x, (prod(x.shape[:-1], start=1), x.shape[-1]))


@gradient_of(o.Dense)
def dense(at: Applied) -> Cotangents:
    """Of x: g kernel^T; of the kernel: x^T g over all rows."""
    x, kernel, bias, residual = (*at.inputs, None, None)[:4]
    if x is None or kernel is None:
        return ()
    g = before_epilogue(at)
    rows = o.Matmul(transpose_b=True)(as_rows(g), kernel)
    return (
        o.reshape(rows, x.shape),
        o.Matmul(transpose_a=True)(as_rows(x), as_rows(g)),
        to_bias(g, bias),
        None if residual is None else g,
    )


@gradient_of(o.Matmul)
def matmul(at: Applied) -> Cotangents:
    """Of a: g b^T; of b: a^T g; transposed where the operand was."""
    a, b = at.result.operands
    g, op = at.cotangent, at.op

    def product(x: Value, y: Value, transpose_x: bool, transpose_y: bool) -> Value:
        return o.Matmul(transpose_a=transpose_x, transpose_b=transpose_y)(x, y)

    to_a = (
        product(b, g, op.transpose_b, True)
        if op.transpose_a
        else product(g, b, False, not op.transpose_b)
    )
    to_b = (
        product(g, a, True, op.transpose_a)
        if op.transpose_b
        else product(a, g, not op.transpose_a, False)
    )
    return to_a, to_b
