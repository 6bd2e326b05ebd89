"""Reductions, and normalization along one axis, in whatever order of axes the operand is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import ONNX, Tensor
from kerac.backends.onnx.order import Order, Orders, without
from kerac.backends.onnx.registry import Result, exports, same_order
from kerac.backends.onnx.shapes import dim_tensor
from kerac.ir import Value
from kerac.ir.ops.reduction import (
    LogSoftmax,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProduct,
    ReduceSum,
    Reduction,
    Softmax,
    Sparsemax,
)

INT64 = np.dtype(np.int64)
REDUCTIONS = {
    ReduceSum: "ReduceSum",
    ReduceMean: "ReduceMean",
    ReduceMax: "ReduceMax",
    ReduceMin: "ReduceMin",
    ReduceProduct: "ReduceProd",
}


def reduction_orders(value: Value, operand: Value, wanted: Orders) -> Orders:
    """The order of the result where it has the same axes."""
    return same_order(value, operand, wanted) if operand.ndim == value.ndim else frozenset()


@exports(Reduction, wants=reduction_orders)
def export_reduction(emit: Emitter, op: Reduction, x: Value) -> Result:
    """One of ONNX's reductions; bool as numbers, where a sum is "any" and a product "all"."""
    if not op.axes:
        return emit.forms[x]
    order = emit.choose_order(x) if op.keepdims else _order_to_reduce(emit, op, x)
    tensor = Tensor(emit, emit.tensor(x, order), x.dtype).widened()
    axes = sorted(order.index(axis) for axis in op.axes)
    reduced = reduce_axes(tensor, REDUCTIONS[type(op)], axes, op.keepdims).cast(x.dtype).name
    return {order if op.keepdims else without(order, op.axes): reduced}


def _order_to_reduce(emit: Emitter, op: Reduction, x: Value) -> Order:
    """The order at hand whose rest is wanted, or else the first one at hand."""
    wanted = emit.wanted
    orders = list(emit.forms[x])
    return next((order for order in orders if without(order, op.axes) in wanted), orders[0])


def reduce_axes(x: Tensor, op_type: str, axes: Sequence[int], keepdims: bool) -> Tensor:
    """A reduction along axes of the tensor, which became an operand in opset 13 or 18."""
    if x.emit.opset >= (13 if op_type == "ReduceSum" else 18):
        return x.node(
            op_type, x, Tensor(x.emit, x.emit.integers(*axes), "i64"), keepdims=int(keepdims)
        )
    return x.node(op_type, x, axes=list(axes), keepdims=int(keepdims))


@exports(Softmax, LogSoftmax, wants=same_order)
def export_softmax(emit: Emitter, op: Softmax | LogSoftmax, x: Value) -> Result:
    """Softmax or LogSoftmax."""
    order = emit.choose_order(x)
    axis = order.index(op.axis)
    return {order: emit.node(type(op).__name__, emit.tensor(x, order), axis=axis)}


@exports(Sparsemax, wants=same_order)
def export_sparsemax(emit: Emitter, op: Sparsemax, x: Value) -> Result:
    """max(x - threshold, 0), the threshold such that the result sums to 1."""
    order = emit.choose_order(x)
    axis = order.index(op.axis)
    tensor = Tensor(emit, emit.tensor(x, order), x.dtype)
    length = dim_tensor(emit, x.shape[op.axis])
    largest, _ = emit.results_of("TopK", tensor.name, length, count=2, axis=axis)
    descending = Tensor(emit, largest, x.dtype)
    sums = descending.node("CumSum", descending, Tensor(emit, emit.constant(axis, INT64), "i64"))
    counts = _count(emit, length, x.ndim - 1 - axis).cast(x.dtype)
    inside = sums.node("Less", sums, counts * descending + 1.0, dtype="bool").cast("i64")
    support = reduce_axes(inside, "ReduceSum", [axis], keepdims=True)
    within = sums.node("GatherElements", sums, support - 1, axis=axis)
    threshold = (within - 1.0) / support.cast(x.dtype)
    return {order: ONNX.maximum(tensor - threshold, 0.0).name}


def _count(emit: Emitter, length: str, axes_after: int) -> Tensor:
    """1, 2, ... along an axis that has `axes_after` others after it."""
    one, zero = emit.constant(1, INT64), emit.integers(0)
    last = emit.node("Squeeze", emit.node("Add", length, emit.integers(1)), zero)
    numbers = emit.node("Range", one, last, one)
    if axes_after:
        numbers = emit.node("Unsqueeze", numbers, emit.integers(*range(1, 1 + axes_after)))
    return Tensor(emit, numbers, "i64")
