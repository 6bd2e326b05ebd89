"""Rules that move reshapes behind the ops that read them, out of the way of fusions."""

from __future__ import annotations

from dataclasses import replace

from kerac.ir import Op, Value
from kerac.ir import ops as o
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.ops.reduction import Reduction
from kerac.ir.types import Shape
from kerac.passes.patterns import array_of, constant_like, without_leading_ones
from kerac.passes.rewrite import Rule, Uses


def _swapped(value: Value, moved: Value, op: Op, *operands: Value | None) -> Value:
    """First `op` in the place of `value`, then a reshape to its shape in the place of `moved`."""
    result = op(*operands, name=value.name, origin=value.origin)
    return o.Reshape(value.shape)(result, origin=moved.origin)


def reshape_behind_elementwise(value: Value, uses: Uses) -> Value | None:
    """Compute each element first, then reshape.

    Other operands must be reshaped alike, or broadcast the same way, or a constant along the last
    axis, which the reshape splits.

    def before(x: f32[N, 8, 6], y: f32[N, 8, 6]):
        a = reshape(x, shape=(N, 2, 4, 6))
        b = reshape(y, shape=(N, 2, 4, 6))
        scale: f32[6] = constant([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        c = multiply(add(a, b), scale)
        d = relu(c)
        heads = reshape(x, shape=(N, 8, 2, 3))
        bias: f32[2, 3] = constant([[6.0, 5.0, 4.0], [3.0, 2.0, 1.0]])
        e = add(heads, bias)
        return d, e
    def after(x: f32[N, 8, 6], y: f32[N, 8, 6]):
        scale: f32[6] = constant([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        c = multiply(add(x, y), scale)
        d = relu(c)
        d_1 = reshape(d, shape=(N, 2, 4, 6))
        bias: f32[6] = constant([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
        e = add(x, bias)
        e_1 = reshape(e, shape=(N, 8, 2, 3))
        return {"d": d_1, "e": e_1}
    """
    if not isinstance(value.op, Elementwise):
        return None
    moved = next(
        (v for v in value.operands if isinstance(v.op, o.Reshape) and v.shape == value.shape), None
    )
    if moved is None:
        return None
    source = moved.operands[0]
    operands = [_undone(operand, value, source) for operand in value.operands]
    if any(operand is None for operand in operands):
        return None
    return _swapped(value, moved, value.op, *operands)


def _undone(operand: Value, value: Value, source: Value) -> Value | None:
    """What `operand` of `value` is before the reshape of `source`; None where that is work."""
    if isinstance(operand.op, o.Reshape) and operand.shape == value.shape:
        before = operand.operands[0]
        return before if before.shape == source.shape else None
    if operand.ndim == 0:
        return operand
    array = array_of(operand)
    if array is None:
        return None
    if source.shape[-1:] == value.shape[-1:] and operand.shape in ((1,), value.shape[-1:]):
        return operand
    kept = source.ndim - 1
    if (
        operand.ndim <= value.ndim - kept
        and source.shape[:kept] == value.shape[:kept]
        and array.size == source.shape[-1]
    ):
        # the reshape splits the last axis, along which alone the constant varies
        return constant_like(array.reshape(-1), operand, operand.name)
    wide = (*(1,) * (value.ndim - operand.ndim), *operand.shape)
    lengths = [n for n, m in zip(wide, value.shape, strict=True) if m != 1]
    if [n for n in value.shape if n != 1] != [n for n in source.shape if n != 1]:
        return None
    # the reshape only moves axes of length 1, and the same is done to the constant
    shape = tuple(1 if n == 1 else lengths.pop(0) for n in source.shape)
    return constant_like(without_leading_ones(array.reshape(shape)), operand, operand.name)


def reshape_behind_dense(value: Value, uses: Uses) -> Value | None:
    """A dense reads the last axis only; where a reshape keeps that one, it may come afterwards.

    def before(x: f32[N, T, 4], kernel: f32[4, 3]):
        y = dense(reshape(x, shape=(N*T, 4)), kernel)
        return y
    def after(x: f32[N, T, 4], kernel: f32[4, 3]):
        y = dense(x, kernel)
        y_1 = reshape(y, shape=(N*T, 3))
        return {"y": y_1}
    """
    match value:
        case Value(
            o.Dense() as op,
            (Value(o.Reshape(), (Value() as x,)) as moved, Value() as kernel, *rest),
        ) if len(rest) < 2 and x.shape[-1:] == kernel.shape[:1]:
            return _swapped(value, moved, op, x, kernel, *rest)
    return None


def reshape_behind_batch_norm(value: Value, uses: Uses) -> Value | None:
    """A normalization of an axis that a reshape keeps may come first.

    def before(x: f32[N, 8, 4], mean: f32[4], variance: f32[4]):
        y = batch_norm(reshape(x, shape=(N, 2, 4, 4)), mean, variance, axis=3)
        return y
    def after(x: f32[N, 8, 4], mean: f32[4], variance: f32[4]):
        y = batch_norm(x, mean, variance, axis=2)
        y_1 = reshape(y, shape=(N, 2, 4, 4))
        return {"y": y_1}
    """
    match value:
        case Value(o.BatchNorm(axis) as op, (Value(o.Reshape(), (Value() as x,)) as moved, *rest)):
            before = _axis_before(axis, value.shape, x.shape)
            if before is not None:
                return _swapped(value, moved, replace(op, axis=before), x, *rest)
    return None


def _axis_before(axis: int, shape: Shape, before: Shape) -> int | None:
    """The axis of `before` that a reshape to `shape` makes `axis` of."""
    if axis == len(shape) - 1 and before[-1:] == shape[-1:]:
        return len(before) - 1
    places, others = ([i for i, n in enumerate(s) if n != 1] for s in (shape, before))
    if [shape[i] for i in places] != [before[i] for i in others]:
        return None
    if axis in places:
        return others[places.index(axis)]
    ones = [i for i, n in enumerate(before) if n == 1]
    return ones[-1] if ones else None


def reshape_of_reduction(value: Value, uses: Uses) -> Value | None:
    """A reduction keeps or drops the axes of length 1 by itself.

    def before(x: f32[N, 8, 6, 4]):
        y = reduce_mean(x, axes=(1, 2))
        z = reshape(y, shape=(N, 1, 1, 4))
        return z
    def after(x: f32[N, 8, 6, 4]):
        z = reduce_mean(x, axes=(1, 2), keepdims=True)
        return z
    """
    match value:
        case Value(o.Reshape(), (Value(Reduction() as op, (Value() as x,)) as reduced,)):
            other = replace(op, keepdims=not op.keepdims)
            if uses[reduced] == 1 and op.axes and other.infer(x.tensor_type) == value.type:
                return other(x)
    return None


RULES: tuple[Rule, ...] = (
    reshape_behind_elementwise,
    reshape_behind_dense,
    reshape_behind_batch_norm,
    reshape_of_reduction,
)
