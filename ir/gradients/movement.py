"""Gradients of ops that move elements: cotangents go the way back."""

from __future__ import annotations

from math import prod

from kerac.ir import ops as o
from kerac.ir.dims import Dim, DimLike
from kerac.ir.gradients.elementwise import unbroadcast
from kerac.ir.gradients.registry import Applied, Cotangents, gradient_of
from kerac.ir.graph import Value


@gradient_of(o.Reshape)
def reshape(at: Applied) -> Cotangents:
    """The shape of the operand."""
    return (o.reshape(at.cotangent, _operand(at).shape),)


@gradient_of(o.Transpose)
def transpose(at: Applied) -> Cotangents:
    """The inverse permutation."""
    inverse = sorted(range(len(at.op.permutation)), key=at.op.permutation.__getitem__)
    return (o.transpose(at.cotangent, tuple(inverse)),)


@gradient_of(o.BroadcastTo)
def broadcast_to(at: Applied) -> Cotangents:
    """Sums along the axes that were stretched."""
    return (unbroadcast(at.cotangent, _operand(at).shape),)


@gradient_of(o.Slice)
def slice_(at: Applied) -> Cotangents:
    """Zeros around, and between where steps are longer than 1."""
    x, cotangent = _operand(at), at.cotangent
    op: o.Slice = at.op
    for axis, step in enumerate(op.steps):
        length = cotangent.shape[axis]
        if step > 1:
            cotangent = spread(cotangent, axis, step)
            kept = (length - 1) * step + 1
            cotangent = o.slice_axis(cotangent, axis, 0, kept)
            length = kept
        before = op.start[axis]
        cotangent = between_zeros(cotangent, axis, before, x.shape[axis] - before - length)
    return (cotangent,)


def spread(x: Value, axis: int, step: int) -> Value:
    """`step` - 1 zeros after every element along `axis`."""
    shape = (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])
    padding = tuple((0, step - 1 if place == axis + 1 else 0) for place in range(len(shape)))
    padded = o.Pad(padding)(o.reshape(x, shape))
    return o.reshape(padded, (*x.shape[:axis], x.shape[axis] * step, *x.shape[axis + 1 :]))


def between_zeros(x: Value, axis: int, before: DimLike, after: DimLike) -> Value:
    """x with so many zeros before and after it along `axis`."""
    return between(x, axis, (before, after), 0.0)


def between(x: Value, axis: int, amounts: tuple[DimLike, DimLike], number: float) -> Value:
    """x with so many elements of `number` before and after it along `axis`."""
    before, after = amounts
    if isinstance(before, int) and isinstance(after, int):
        if before == after == 0:
            return x
        return o.Pad(
            tuple((before, after) if place == axis else (0, 0) for place in range(x.ndim)), number
        )(x)

    def rest(length: DimLike) -> list[Value]:
        shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
        empty = not isinstance(length, Dim) and length == 0
        return [] if empty else [o.broadcast_to(o.constant(number, x.dtype), shape)]

    return o.concatenate([*rest(before), x, *rest(after)], axis)


@gradient_of(o.Pad)
def pad(at: Applied) -> Cotangents:
    """Without the padding."""
    x = _operand(at)
    start = tuple(before for before, _ in at.op.padding)
    stop = tuple(before + dim for before, dim in zip(start, x.shape, strict=True))
    return (o.Slice(start, stop)(at.cotangent),)


@gradient_of(o.Concatenate)
def concatenate(at: Applied) -> Cotangents:
    """To each operand its part."""
    parts, start = [], 0
    for value in at.inputs:
        if value is not None:
            stop = start + value.shape[at.op.axis]
            parts.append(o.slice_axis(at.cotangent, at.op.axis, start, stop))
            start = stop
    return tuple(parts)


@gradient_of(o.Reverse)
def reverse(at: Applied) -> Cotangents:
    """The same order back."""
    return (o.reverse(at.cotangent, at.op.axes),)


@gradient_of(o.Repeat)
def repeat(at: Applied) -> Cotangents:
    """The sum of each element's copies."""
    x, axis = _operand(at), at.op.axis
    shape = (*x.shape[: axis + 1], at.op.count, *x.shape[axis + 1 :])
    return (o.reduce_sum(o.reshape(at.cotangent, shape), (axis + 1,)),)


@gradient_of(o.Gather)
def gather(at: Applied) -> Cotangents:
    """The sum of the cotangents of all copies of a row."""
    table, indices = at.inputs
    if table is None or indices is None:
        return ()
    count = prod(indices.shape, start=1)
    width = prod(table.shape[1:], start=1)
    rows = o.scatter_add(
        o.reshape(indices, (count,)), o.reshape(at.cotangent, (count, width)), table.shape[0]
    )
    return o.reshape(rows, table.shape), None


@gradient_of(o.ScatterAdd)
def scatter_add(at: Applied) -> Cotangents:
    """To each update the row that it was added to."""
    indices = at.inputs[0]
    return (None, None if indices is None else o.gather(at.cotangent, indices))


def _operand(at: Applied) -> Value:
    (x,) = at.result.operands
    return x
