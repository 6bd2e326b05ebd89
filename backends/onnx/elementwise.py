"""Elementwise ops: by their formula, in whatever order of axes the operands are."""

from __future__ import annotations

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import ONNX, Tensor
from kerac.backends.onnx.registry import SINCE, Result, exports, same_order
from kerac.ir import Value
from kerac.ir.ops.bitwise import Bitwise, ShiftLeft, ShiftRight
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
    Select,
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
SINCE[Bitwise] = lambda op: 0 if isinstance(op, ShiftLeft | ShiftRight) else 18


def operands_of(emit: Emitter, operands: tuple[Value, ...]) -> tuple[tuple[int, ...], list[Tensor]]:
    """The order for the result, and operands that broadcast to it."""
    order = emit.choose_order(*operands)
    return order, [Tensor(emit, emit.broadcast(value, order), value.dtype) for value in operands]


@exports(Elementwise, wants=same_order)
def export_formula(emit: Emitter, op: Elementwise, *operands: Value) -> Result:
    """The op's formula, in a wider dtype where runtimes lack the op in this one."""
    order, tensors = operands_of(emit, operands)
    result: Tensor = op.formula(ONNX, *(tensor.widened() for tensor in tensors))
    return {order: result.cast(op.result_dtype or operands[-1].dtype).name}


@exports(Select, wants=same_order)
def export_select(emit: Emitter, op: Select, *operands: Value) -> Result:
    """Where, whose condition stays a truth value."""
    order, (condition, x, y) = operands_of(emit, operands)
    result = ONNX.select(condition, x.widened(), y.widened())
    return {order: result.cast(x.dtype).name}


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
