"""Ops that move elements; most follow the order of axes that their operand is in."""

from __future__ import annotations

from kerac.backends.onnx.builder import ABSENT
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import ONNX, Tensor
from kerac.backends.onnx.order import Orders, identity, permuted, same_layout
from kerac.backends.onnx.registry import Result, exports, same_order
from kerac.backends.onnx.shapes import END, dim_tensor, reshape, shape_tensor
from kerac.ir import DimLike, Value, numpy_dtype
from kerac.ir.ops.constant import Item
from kerac.ir.ops.movement import (
    BroadcastTo,
    Concatenate,
    Gather,
    Pad,
    Repeat,
    Reshape,
    Reverse,
    Slice,
    Transpose,
)

BEGIN = -(2**63)  # what Slice reads as "past the first one" when it goes backwards


@exports(Reshape)
def export_reshape(emit: Emitter, op: Reshape, x: Value) -> Result:
    """Reshape, from and to any order in which the elements lie as they do in the value's own."""
    source = emit.row_major_order(x)
    wanted = sorted(emit.wanted)
    target = next(
        (o for o in wanted if same_layout(op.shape, o, identity(len(o)))), identity(len(op.shape))
    )
    old, new = permuted(x.shape, source), permuted(op.shape, target)
    return {target: reshape(emit, emit.tensor(x, source), old, new, x.dtype)}


def transposed_orders(value: Value, operand: Value, wanted: Orders) -> Orders:
    """The orders in which the same tensors hold the operand."""
    permutation = value.op.permutation if isinstance(value.op, Transpose) else identity(value.ndim)
    return frozenset(tuple(permutation[axis] for axis in order) for order in wanted)


@exports(Transpose, wants=transposed_orders)
def export_transpose(emit: Emitter, op: Transpose, x: Value) -> Result:
    """No node: the same tensors hold the result in other orders."""
    return {
        tuple(op.permutation.index(axis) for axis in order): name
        for order, name in emit.forms[x].items()
    }


@exports(BroadcastTo)
def export_broadcast_to(emit: Emitter, op: BroadcastTo, x: Value) -> Result:
    """Expand."""
    return emit.node("Expand", emit.tensor(x), shape_tensor(emit, op.shape))


@exports(Slice, wants=same_order)
def export_slice(emit: Emitter, op: Slice, x: Value) -> Result:
    """Slice along the axes of which a part is missing."""
    parts = {
        axis: (start, END if stop == x.shape[axis] else stop, step)
        for axis, (start, stop, step) in enumerate(zip(op.start, op.stop, op.steps, strict=True))
        if (start, stop, step) != (0, x.shape[axis], 1)
    }
    if not parts:
        return emit.forms[x]
    order = emit.choose_order(x)
    starts, stops, steps = zip(*parts.values(), strict=True)
    places = emit.integers(*(order.index(axis) for axis in parts))
    bounds = shape_tensor(emit, starts), shape_tensor(emit, stops)
    strides = ABSENT if set(steps) == {1} else emit.integers(*steps)
    return {order: emit.node("Slice", emit.tensor(x, order), *bounds, places, strides)}


@exports(Pad, wants=same_order)
def export_pad(emit: Emitter, op: Pad, x: Value) -> Result:
    """Pad with a constant."""
    order = emit.choose_order(x)
    pairs = [op.padding[axis] for axis in order]
    amounts = emit.integers(*(before for before, _ in pairs), *(after for _, after in pairs))
    tensor = Tensor(emit, emit.tensor(x, order), x.dtype).widened()
    value = emit.constant(numpy_dtype(x.dtype).type(op.value), numpy_dtype(tensor.dtype))
    padded = Tensor(emit, emit.node("Pad", tensor.name, amounts, value), tensor.dtype)
    return {order: padded.cast(x.dtype).name}


@exports(Concatenate, wants=same_order)
def export_concatenate(emit: Emitter, op: Concatenate, *operands: Value) -> Result:
    """Concat."""
    order = emit.choose_order(*operands)
    names = [emit.tensor(operand, order) for operand in operands]
    return {order: emit.node("Concat", *names, axis=order.index(op.axis))}


@exports(Reverse, wants=same_order)
def export_reverse(emit: Emitter, op: Reverse, x: Value) -> Result:
    """Slice with negative steps, unless x was turned round only to suit the IR."""
    match x:
        case Value(Item(index=0), (Value() as recurrent,)) if (
            op.axes == (1,) and recurrent in emit.taken_backwards
        ):
            return emit.taken_backwards[recurrent]
    order = emit.choose_order(x)
    return {order: flip(emit, emit.tensor(x, order), [order.index(axis) for axis in op.axes])}


def flip(emit: Emitter, name: str, axes: list[int]) -> str:
    """`name` with elements in opposite order along `axes` of the tensor."""
    if not axes:
        return name
    minus_ones = emit.integers(*[-1] * len(axes))
    return emit.node(
        "Slice",
        name,
        minus_ones,
        emit.integers(*[BEGIN] * len(axes)),
        emit.integers(*axes),
        minus_ones,
    )


@exports(Repeat, wants=same_order)
def export_repeat(emit: Emitter, op: Repeat, x: Value) -> Result:
    """Resize to the nearest for f32, else a new axis that is stretched and merged."""
    if x.dtype == "f32":
        return _resize(emit, op, x)
    order = emit.choose_order(x)
    place, name = order.index(op.axis), emit.tensor(x, order)
    shape: list[DimLike] = list(permuted(x.shape, order))
    apart = emit.node("Unsqueeze", name, emit.integers(place + 1))
    counts = [1] * (x.ndim + 1)
    counts[place + 1] = op.count
    repeated = emit.node("Tile", apart, emit.integers(*counts))
    old = (*shape[: place + 1], op.count, *shape[place + 1 :])
    shape[place] = shape[place] * op.count
    return {order: reshape(emit, repeated, old, tuple(shape), x.dtype)}


def _resize(emit: Emitter, op: Repeat, x: Value) -> Result:
    """One Resize for repeats along several axes, as upsampling of images has them."""
    counts = [1] * x.ndim
    counts[op.axis] = op.count
    while isinstance(x.op, Repeat) and emit.graph.uses.get(x) == 1 and x.inputs[0]:
        counts[x.op.axis] *= x.op.count
        x = x.inputs[0]
    order = emit.choose_order(x)
    scales = emit.constant([counts[axis] for axis in order], numpy_dtype("f32"))
    nearest = {
        "mode": "nearest",
        "nearest_mode": "floor",
        "coordinate_transformation_mode": "asymmetric",
    }
    return {order: emit.node("Resize", emit.tensor(x, order), ABSENT, scales, **nearest)}


@exports(Gather)
def export_gather(emit: Emitter, op: Gather, table: Value, indices: Value) -> Result:
    """Gather, with indices brought into the table first."""
    numbers = Tensor(emit, emit.tensor(indices), indices.dtype)
    last = table.shape[0] - 1
    if isinstance(last, int):
        bound = Tensor(emit, emit.constant(last, numpy_dtype("i64")), "i64")
    else:
        bound = Tensor(emit, emit.node("Squeeze", dim_tensor(emit, last), emit.integers(0)), "i64")
    if numbers.dtype == "u64":
        # The largest ones would become negative in i64.
        numbers = ONNX.minimum(numbers, bound.cast("u64"))
    numbers = numbers.cast("i64")
    inside = numbers.node("Clip", numbers, 0, bound)
    return emit.node("Gather", emit.tensor(table), inside.name, axis=0)
