"""Rules that move transposes behind the ops that read them: channels-first models lose theirs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from kerac.ir import Op, Value
from kerac.ir import ops as o
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.ops.reduction import AlongAxis, Reduction
from kerac.ir.types import is_static
from kerac.passes.patterns import array_of, constant_like, without_leading_ones
from kerac.passes.rewrite import Rule, Uses

Permutation = tuple[int, ...]


def _swapped(value: Value, moved: Value, op: Op, *operands: Value | None) -> Value:
    """First `op` in the place of `value`, then the transpose `moved`."""
    return moved.op(op(*operands, name=value.name, origin=value.origin), origin=moved.origin)


def behind_elementwise(value: Value, uses: Uses) -> Value | None:
    """Compute each element first, then transpose.

    Other operands must be transposed alike, or cost nothing to move.

    def before(x: f32[N, 8, 6, 4], y: f32[N, 8, 6, 4]):
        a = transpose(x, permutation=(0, 3, 1, 2))
        b = transpose(y, permutation=(0, 3, 1, 2))
        scale: f32[4, 1, 1] = constant([[[1.0]], [[2.0]], [[3.0]], [[4.0]]])
        c = add(a, b)
        d = multiply(c, scale)
        return d
    def after(x: f32[N, 8, 6, 4], y: f32[N, 8, 6, 4]):
        c = add(x, y)
        scale: f32[4] = constant([1.0, 2.0, 3.0, 4.0])
        d = multiply(c, scale)
        d_1 = transpose(d, permutation=(0, 3, 1, 2))
        return {"d": d_1}
    """
    if not isinstance(value.op, Elementwise):
        return None
    found = [
        (v, v.op.permutation)
        for v in value.operands
        if isinstance(v.op, o.Transpose) and v.shape == value.shape
    ]
    if not found:
        return None
    moved, permutation = found[0]
    inverse = tuple(int(axis) for axis in np.argsort(permutation))
    operands = [_undone(operand, permutation, inverse) for operand in value.operands]
    if any(operand is None for operand in operands):
        return None
    return _swapped(value, moved, value.op, *operands)


def _undone(value: Value, permutation: Permutation, inverse: Permutation) -> Value | None:
    """The value whose transpose is `value`, where that needs no work at run time."""
    if isinstance(value.op, o.Transpose) and value.op.permutation == permutation:
        return value.operands[0]
    if value.ndim == 0:
        return value
    shape = (*(1,) * (len(permutation) - value.ndim), *value.shape)
    array = array_of(value)
    if array is not None:
        moved = array.reshape(shape).transpose(inverse)
        return constant_like(without_leading_ones(moved), value, value.name)
    long = [axis for axis in inverse if shape[axis] != 1]
    if long != sorted(long):
        return None
    return o.reshape(value, tuple(shape[axis] for axis in inverse))


def behind_op_with_axes(value: Value, uses: Uses) -> Value | None:
    """Ops that name axes can name others.

    def before(x: f32[N, 8, 6, 4]):
        y = transpose(x, permutation=(0, 3, 1, 2))
        z = softmax(y, axis=1)
        return z
    def after(x: f32[N, 8, 6, 4]):
        z = softmax(x, axis=3)
        z_1 = transpose(z, permutation=(0, 3, 1, 2))
        return {"z": z_1}
    """
    match value:
        case Value(op, (Value(o.Transpose(permutation), (Value() as x,)) as moved, *rest)):
            renamed = _renamed(op, permutation, bool(rest))
            if renamed is not None:
                return _swapped(value, moved, renamed, x, *rest)
    return None


def _renamed(op: Op, permutation: Permutation, has_vectors: bool) -> Op | None:
    """The op on what was transposed; its axis i is axis permutation[i] there."""
    match op:
        case AlongAxis() | o.BatchNorm() | o.Repeat():
            return replace(op, axis=permutation[op.axis])
        case o.Reverse(axes):
            return o.Reverse(tuple(sorted(permutation[axis] for axis in axes)))
        case o.LayerNorm(axes):
            moved = [permutation[axis] for axis in axes]
            # gamma and beta have the normalized axes in ascending order
            if moved == sorted(moved) or not has_vectors:
                return replace(op, axes=tuple(sorted(moved)))
        case o.Pad(padding):
            return replace(op, padding=_moved_back(padding, permutation))
        case o.Slice(start, stop, step):
            parts = (_moved_back(entries, permutation) for entries in (start, stop, step))
            return o.Slice(*parts)
    return None


def _moved_back(entries: tuple, permutation: Permutation) -> tuple:  # type: ignore[type-arg]
    if not entries:
        return entries
    result = [None] * len(entries)
    for place, axis in enumerate(permutation):
        result[axis] = entries[place]
    return tuple(result)


def behind_concatenation(value: Value, uses: Uses) -> Value | None:
    """Operands that are all transposed alike are concatenated first.

    def before(x: f32[N, 8, 6], y: f32[N, 8, 3]):
        a = transpose(x, permutation=(0, 2, 1))
        b = transpose(y, permutation=(0, 2, 1))
        c = concatenate(a, b, axis=1)
        return c
    def after(x: f32[N, 8, 6], y: f32[N, 8, 3]):
        c = concatenate(x, y, axis=2)
        c_1 = transpose(c, permutation=(0, 2, 1))
        return {"c": c_1}
    """
    match value:
        case Value(o.Concatenate(axis), (Value(o.Transpose(permutation)) as moved, *_)):
            if all(v.op == moved.op for v in value.operands):
                sources = (v.operands[0] for v in value.operands)
                return _swapped(value, moved, o.Concatenate(permutation[axis]), *sources)
    return None


def behind_reduction(value: Value, uses: Uses) -> Value | None:
    """Reduce first; often the axes that are left stand in order then.

    def before(x: f32[N, 8, 6, 4]):
        y = transpose(x, permutation=(0, 3, 1, 2))
        z = reduce_mean(y, axes=(2, 3))
        return z
    def after(x: f32[N, 8, 6, 4]):
        z = reduce_mean(x, axes=(1, 2))
        return z
    """
    match value:
        case Value(Reduction() as op, (Value(o.Transpose(permutation), (Value() as x,)) as moved,)):
            axes = tuple(sorted(permutation[axis] for axis in op.axes))
            if op.keepdims:
                return _swapped(value, moved, replace(op, axes=axes), x)
            reduced = replace(op, axes=axes)(x, name=value.name, origin=value.origin)
            left = [axis for axis in permutation if axis not in axes]
            order = tuple(sorted(left).index(axis) for axis in left)
            if list(order) == sorted(order):
                return reduced
            return o.Transpose(order)(reduced, origin=moved.origin)
    return None


def behind_dense(value: Value, uses: Uses) -> Value | None:
    """A dense reads the last axis only; others may change places afterwards.

    def before(x: f32[N, 8, 6, 4], kernel: f32[4, 3]):
        y = dense(transpose(x, permutation=(0, 2, 1, 3)), kernel)
        return y
    def after(x: f32[N, 8, 6, 4], kernel: f32[4, 3]):
        y = dense(x, kernel)
        y_1 = transpose(y, permutation=(0, 2, 1, 3))
        return {"y": y_1}
    """
    match value:
        case Value(
            o.Dense() as op, (Value(o.Transpose(permutation), (Value() as x,)) as moved, *rest)
        ) if permutation[-1] == x.ndim - 1 and len(rest) < 3:
            return _swapped(value, moved, op, x, *rest)
    return None


def into_dense_kernel(value: Value, uses: Uses) -> Value | None:
    """A dense reads a whole image as it is, not transposed, by a kernel with its rows reordered.

    def before(x: f32[N, 8, 6, 4]):
        kernel: f32[192, 3] = parameter("kernel")
        y = reshape(transpose(x, permutation=(0, 3, 1, 2)), shape=(N, 192))
        z = dense(y, kernel)
        return z
    def after(x: f32[N, 8, 6, 4]):
        y = reshape(x, shape=(N, 192))
        weights: f32[192, 3] = parameter("kernel")
        image = reshape(weights, shape=(4, 8, 6, 3))
        kernel = reshape(transpose(image, permutation=(1, 2, 0, 3)), shape=(192, 3))
        z = dense(y, kernel)
        return z
    """
    match value:
        case Value(
            o.Dense() as op,
            (
                Value(
                    o.Reshape(), (Value(o.Transpose(permutation), (Value() as x,)) as moved,)
                ) as flat,
                Value() as kernel,
                *rest,
            ),
        ):
            array, lengths = array_of(kernel), moved.shape[1:]
            if array is None or uses[flat] != 1 or permutation[0] != 0 or not is_static(lengths):
                return None
            if flat.shape != (moved.shape[0], math.prod(lengths)):
                return None
            inverse = [axis - 1 for axis in np.argsort(permutation)[1:]]
            image = array.reshape(*lengths, -1).transpose(*inverse, len(lengths))
            new_kernel = constant_like(image.reshape(array.shape), kernel, kernel.name)
            return op(o.Reshape(flat.shape)(x, name=flat.name), new_kernel, *rest)
    return None


RULES: tuple[Rule, ...] = (
    behind_elementwise,
    behind_op_with_axes,
    behind_concatenation,
    behind_reduction,
    behind_dense,
    into_dense_kernel,
)
