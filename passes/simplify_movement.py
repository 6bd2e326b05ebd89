"""Chains of ops that only move elements become shorter, and what moves nothing vanishes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.ir.ops.elementwise import Elementwise, broadcast_shapes
from kerac.ir.ops.recurrent import Recurrent
from kerac.passes import sink_reshapes, sink_transposes
from kerac.passes.base import Pass
from kerac.passes.rewrite import Uses


def identity_movement(value: Value, uses: Uses) -> Value | None:
    """What moves nothing is its operand.

    def before(x: f32[N, 4]):
        a = relu(reshape(transpose(x, permutation=(0, 1)), shape=(N, 4)))
        b = exp(pad(slice(a, start=(0, 0), stop=(N, 4)), padding=((0, 0), (0, 0))))
        c = tanh(concatenate(reverse(repeat(b, axis=1, count=1), axes=()), axis=1))
        return c
    def after(x: f32[N, 4]):
        a = relu(x)
        b = exp(a)
        c = tanh(b)
        return c
    """
    match value:
        case Value(o.Reshape() | o.BroadcastTo() | o.Pad(), (Value() as x,)) if (
            x.type == value.type
        ):
            return x
        case Value(o.Transpose(permutation), (Value() as x,)) if list(permutation) == sorted(
            permutation
        ):
            return x
        case Value(o.Slice() as op, (Value() as x,)) if x.type == value.type and set(op.steps) <= {
            1
        }:
            return x
        case Value(o.Concatenate(), (Value() as x,)) | Value(o.Repeat(count=1), (Value() as x,)):
            return x
        case Value(o.Reverse(axes), (Value() as x,)):
            moved = tuple(axis for axis in axes if x.shape[axis] != 1)
            if not moved:
                return x
            return o.Reverse(moved)(x) if moved != axes else None
    return None


def two_reshapes(value: Value, uses: Uses) -> Value | None:
    """Of two reshapes the last one counts.

    def before(x: f32[N, 4, 6]):
        y = reshape(reshape(x, shape=(N, 24)), shape=(N, 6, 4))
        return y
    def after(x: f32[N, 4, 6]):
        y = reshape(x, shape=(N, 6, 4))
        return y
    """
    match value:
        case Value(o.Reshape() as op, (Value(o.Reshape(), (x,)),)):
            return op(x)
    return None


def two_transposes(value: Value, uses: Uses) -> Value | None:
    """Two transposes are one or none.

    def before(x: f32[N, 4, 6]):
        y = transpose(transpose(x, permutation=(2, 0, 1)), permutation=(2, 1, 0))
        return y
    def after(x: f32[N, 4, 6]):
        y = transpose(x, permutation=(1, 0, 2))
        return y
    """
    match value:
        case Value(o.Transpose(outer), (Value(o.Transpose(inner), (Value() as x,)),)):
            return o.transpose(x, tuple(inner[axis] for axis in outer))
    return None


def transpose_of_ones(value: Value, uses: Uses) -> Value | None:
    """A transpose that only moves axes of length 1 is a reshape, which costs nothing.

    def before(x: f32[N, 1, 1, 6]):
        y = transpose(x, permutation=(0, 3, 1, 2))
        return y
    def after(x: f32[N, 1, 1, 6]):
        y = reshape(x, shape=(N, 6, 1, 1))
        return y
    """
    match value:
        case Value(o.Transpose(permutation), (Value() as x,)):
            long = [axis for axis in permutation if x.shape[axis] != 1]
            if long == sorted(long):
                return o.reshape(x, value.shape)
    return None


def two_slices(value: Value, uses: Uses) -> Value | None:
    """A part of a part is a part.

    def before(x: f32[N, 9]):
        y = slice(slice(x, start=(0, 1), stop=(N, 9), step=(1, 2)), start=(0, 1), stop=(N, 3))
        return y
    def after(x: f32[N, 9]):
        y = slice(x, start=(0, 3), stop=(N, 6), step=(1, 2))
        return y
    """
    match value:
        case Value(o.Slice() as outer, (Value(o.Slice() as inner, (Value() as x,)),)):
            axes = list(
                zip(inner.start, inner.steps, outer.start, outer.stop, outer.steps, strict=True)
            )
            if any(
                step != 1 and (not isinstance(length, int) or length == 0)
                for step, length in zip(inner.steps, value.shape, strict=True)
            ):
                return None
            start = tuple(a + b * step for a, step, b, _, _ in axes)
            # one beyond the last element, which lies inside whatever the steps are
            stop = tuple(a + (c - 1) * step + 1 for a, step, _, c, _ in axes)
            steps = tuple(one * other for _, one, _, _, other in axes)
            return o.Slice(start, stop, steps if set(steps) != {1} else ())(x)
    return None


def slice_of_concatenation(value: Value, uses: Uses) -> Value | None:
    """A part that lies in one operand of a concatenation is a part of that operand.

    def before(x: f32[N, 4], y: f32[N, 6]):
        z = slice(concatenate(x, y, axis=1), start=(0, 5), stop=(N, 9))
        return z
    def after(x: f32[N, 4], y: f32[N, 6]):
        z = slice(y, start=(0, 1), stop=(N, 5))
        return z
    """
    match value:
        case Value(o.Slice() as op, (Value(o.Concatenate(axis)) as joined,)):
            start, stop = op.start[axis], op.stop[axis]
            before = 0
            for operand in joined.operands:
                length = operand.shape[axis]
                if not (
                    isinstance(start, int) and isinstance(stop, int) and isinstance(length, int)
                ):
                    return None
                if before <= start and stop <= before + length:
                    first = _with(op.start, axis, start - before)
                    return o.Slice(first, _with(op.stop, axis, stop - before), op.step)(operand)
                before += length
    return None


def slice_of_padding(value: Value, uses: Uses) -> Value | None:
    """A part that lies inside of what was padded is a part of that.

    def before(x: f32[N, 6]):
        y = slice(pad(x, padding=((0, 0), (2, 3))), start=(0, 2), stop=(N, 7))
        return y
    def after(x: f32[N, 6]):
        y = slice(x, start=(0, 0), stop=(N, 5))
        return y
    """
    match value:
        case Value(o.Slice() as op, (Value(o.Pad(padding), (Value() as x,)),)):
            start = tuple(n - before for n, (before, _) in zip(op.start, padding, strict=True))
            stop = tuple(n - before for n, (before, _) in zip(op.stop, padding, strict=True))
            inside = all(
                pair == (0, 0)
                or (
                    isinstance(a, int)
                    and a >= 0
                    and isinstance(length - b, int)
                    and length - b >= 0
                )
                for pair, a, b, length in zip(padding, start, stop, x.shape, strict=True)
            )
            return o.Slice(start, stop, op.step)(x) if inside else None
    return None


def concatenation_of_concatenation(value: Value, uses: Uses) -> Value | None:
    """Concatenations along one axis are one, unless the inner one is needed anyway.

    def before(x: f32[N, 4], y: f32[N, 6]):
        z = concatenate(concatenate(x, y, axis=1), x, axis=1)
        return z
    def after(x: f32[N, 4], y: f32[N, 6]):
        z = concatenate(x, y, x, axis=1)
        return z
    """
    match value:
        case Value(o.Concatenate(axis)):
            flat: list[Value] = []
            for operand in value.operands:
                if (
                    isinstance(operand.op, o.Concatenate)
                    and operand.op.axis == axis
                    and uses[operand] == 1
                ):
                    flat += operand.operands
                else:
                    flat.append(operand)
            return o.Concatenate(axis)(*flat) if len(flat) > len(value.inputs) else None
    return None


def concatenation_of_slices(value: Value, uses: Uses) -> Value | None:
    """Neighbouring parts of one value side by side are one part.

    def before(x: f32[N, 9]):
        left = slice(x, start=(0, 0), stop=(N, 4))
        right = slice(x, start=(0, 4), stop=(N, 9))
        y = concatenate(left, right, axis=1)
        return y
    def after(x: f32[N, 9]):
        y = slice(x, start=(0, 0), stop=(N, 9))
        return y
    """
    match value:
        case Value(o.Concatenate(axis)):
            operands = value.operands
            for place, (left, right) in enumerate(pairwise(operands)):
                joined = _joined(left, right, axis)
                if joined is not None:
                    new = (*operands[:place], joined, *operands[place + 2 :])
                    return o.Concatenate(axis)(*new) if len(new) > 1 else joined
    return None


def _joined(left: Value, right: Value, axis: int) -> Value | None:
    match left, right:
        case Value(o.Slice() as one, (x,)), Value(o.Slice() as other, (y,)) if x is y:
            fits = one.stop[axis] == other.start[axis] and one.steps == other.steps
            rest_is_equal = all(
                _with(a, axis, 0) == _with(b, axis, 0)
                for a, b in ((one.start, other.start), (one.stop, other.stop))
            )
            if fits and rest_is_equal and one.steps[axis] == 1:
                return replace(one, stop=_with(one.stop, axis, other.stop[axis]))(x)
    return None


def two_paddings(value: Value, uses: Uses) -> Value | None:
    """Two paddings with the same number are one.

    def before(x: f32[N, 9]):
        y = pad(pad(x, padding=((0, 0), (1, 2))), padding=((0, 0), (3, 0)))
        return y
    def after(x: f32[N, 9]):
        y = pad(x, padding=((0, 0), (4, 2)))
        return y
    """
    match value:
        case Value(o.Pad(outer, number), (Value(o.Pad(inner, same), (x,)),)) if number == same:
            pairs = zip(outer, inner, strict=True)
            return o.Pad(tuple((a + c, b + d) for (a, b), (c, d) in pairs), number)(x)
    return None


def two_reversals(value: Value, uses: Uses) -> Value | None:
    """Reversed twice is not reversed.

    def before(x: f32[N, 9, 4]):
        y = reverse(reverse(x, axes=(1, 2)), axes=(1,))
        return y
    def after(x: f32[N, 9, 4]):
        y = reverse(x, axes=(2,))
        return y
    """
    match value:
        case Value(o.Reverse(outer), (Value(o.Reverse(inner), (x,)),)):
            axes = tuple(sorted(set(outer) ^ set(inner)))
            return o.Reverse(axes)(x) if axes else x
    return None


def two_broadcasts(value: Value, uses: Uses) -> Value | None:
    """Of two broadcasts the last one counts.

    def before(x: f32[4]):
        y = broadcast_to(broadcast_to(x, shape=(3, 4)), shape=(2, 3, 4))
        return y
    def after(x: f32[4]):
        y = broadcast_to(x, shape=(2, 3, 4))
        return y
    """
    match value:
        case Value(o.BroadcastTo() as op, (Value(o.BroadcastTo(), (x,)),)):
            return op(x)
    return None


def broadcast_operand(value: Value, uses: Uses) -> Value | None:
    """Elementwise ops broadcast by themselves.

    def before(x: f32[N, 4], y: f32[4]):
        z = add(x, broadcast_to(y, shape=(N, 4)))
        return z
    def after(x: f32[N, 4], y: f32[4]):
        z = add(x, y)
        return z
    """
    if not isinstance(value.op, Elementwise) or len(value.inputs) < 2:
        return None
    for place, operand in enumerate(value.operands):
        if isinstance(operand.op, o.BroadcastTo):
            inputs = [*value.operands]
            inputs[place] = operand.operands[0]
            if broadcast_shapes(*(x.shape for x in inputs)) == value.shape:
                return value.op(*inputs)
    return None


def reversed_recurrence(value: Value, uses: Uses) -> Value | None:
    """A recurrent layer takes the steps in opposite order by itself.

    def before(x: f32[N, 9, 4], kernel: f32[4, 8], recurrent_kernel: f32[2, 8]):
        states = lstm(reverse(x, axes=(1,)), kernel, recurrent_kernel)
        y = item(states, index=0)
        return y
    def after(x: f32[N, 9, 4], kernel: f32[4, 8], recurrent_kernel: f32[2, 8]):
        states = lstm(x, kernel, recurrent_kernel, reverse=True)
        y = item(states, index=0)
        return y
    """
    match value:
        case Value(Recurrent() as op, (Value(o.Reverse((1,)), (x,)), *rest)):
            masked = any(v is not None and v.tensor_type.dtype == "bool" for v in rest)
            return None if masked else replace(op, reverse=not op.reverse)(x, *rest)
    return None


def _with(entries: tuple, axis: int, entry: object) -> tuple:  # type: ignore[type-arg]
    return (*entries[:axis], entry, *entries[axis + 1 :])


@dataclass(frozen=True)
class SimplifyMovement(Pass):
    """Shorten movement; transposes and reshapes go towards the outputs and meet their opposites."""

    rules = (
        identity_movement, two_reshapes, two_transposes, transpose_of_ones, two_slices,
        slice_of_concatenation, slice_of_padding, concatenation_of_concatenation,
        concatenation_of_slices, two_paddings, two_reversals, two_broadcasts, broadcast_operand,
        reversed_recurrence,
        *sink_transposes.RULES, *sink_reshapes.RULES,
    )  # fmt: skip
