"""Elementwise ops: by their formula, in whatever order of axes the operands are."""

from __future__ import annotations

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import ONNX, Tensor
from kerac.backends.onnx.registry import Result, exports, same_order
from kerac.ir import Value
from kerac.ir.ops.elementwise import (
    Cast,
    Comparison,
    Elementwise,
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Logical,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    NotEqual,
)

COMPARISONS = {
    Less: "Less",
    LessEqual: "LessOrEqual",
    Greater: "Greater",
    GreaterEqual: "GreaterOrEqual",
    Equal: "Equal",
    NotEqual: "Equal",  # and then Not
}
LOGICAL = {LogicalAnd: "And", LogicalOr: "Or", LogicalNot: "Not"}


def operands_of(emit: Emitter, operands: tuple[Value, ...]) -> tuple[tuple[int, ...], list[Tensor]]:
    """The order for the result, and operands that broadcast to it."""
    order = emit.choose_order(*operands)
    return order, [Tensor(emit, emit.broadcast(value, order), value.dtype) for value in operands]


@exports(Elementwise, wants=same_order)
def export_formula(emit: Emitter, op: Elementwise, *operands: Value) -> Result:
    """The op's formula, in a wider dtype where runtimes lack the op in this one."""
    order, tensors = operands_of(emit, operands)
    dtype = operands[-1].dtype
    # The condition of a select is the one operand that has another dtype than the result.
    wide = [tensor.widened() if tensor.dtype == dtype else tensor for tensor in tensors]
    if len(operands) == 3:
        wide[0] = tensors[0]
    return {order: op.formula(ONNX, *wide).cast(op.result_dtype or dtype).name}


@exports(Comparison, wants=same_order)
def export_comparison(emit: Emitter, op: Comparison, *operands: Value) -> Result:
    """A predicate of two numbers."""
    order, (x, y) = operands_of(emit, operands)
    result = x.widened().node(COMPARISONS[type(op)], x.widened(), y.widened(), dtype="bool")
    return {order: (result.node("Not", result) if isinstance(op, NotEqual) else result).name}


@exports(Logical, LogicalNot, wants=same_order)
def export_logical(emit: Emitter, op: Logical, *operands: Value) -> Result:
    """A function of truth values."""
    order, tensors = operands_of(emit, operands)
    return {order: tensors[0].node(LOGICAL[type(op)], *tensors).name}


@exports(Cast, wants=same_order)
def export_cast(emit: Emitter, op: Cast, x: Value) -> Result:
    """The same numbers in another dtype."""
    order, (tensor,) = operands_of(emit, (x,))
    return {order: tensor.cast(op.dtype).name}
