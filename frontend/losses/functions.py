"""What losses and metrics are written in: axes counted from the end, sums, means, one-hot codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.activations import axis_of
from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError

EPSILON = 1e-7
Axis = int | tuple[int, ...] | list[int] | None


def axes_of(x: Value, axis: Axis) -> tuple[int, ...]:
    """Ascending axes; None means all."""
    if axis is None:
        return tuple(range(x.ndim))
    given = (axis,) if isinstance(axis, int) else axis
    return tuple(sorted({axis_of(entry, x) for entry in given}))


def total(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Sum along axes."""
    return ops.reduce_sum(x, axes_of(x, axis), keepdims)


def mean(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Arithmetic mean along axes; x itself where there are none."""
    return ops.reduce_mean(x, axes_of(x, axis), keepdims) if x.ndim else x


def largest(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Largest element along axes."""
    return ops.reduce_max(x, axes_of(x, axis), keepdims)


def clip(x: Value, low: float, high: float) -> Value:
    """x between two numbers."""
    return ops.minimum(ops.maximum(x, low), high)


def log(x: Value) -> Value:
    """Natural logarithm."""
    return ops.Log()(x)


def number(condition: Value) -> Value:
    """0 or 1 as f32."""
    return ops.cast(condition, "f32")


def every(condition: Value) -> Value:
    """Whether all elements are true."""
    return ops.ReduceMin(axes_of(condition, None))(number(condition)) > 0.5


def size(x: Value) -> Value:
    """The number of elements, as f32."""
    known = int(np.prod([dim for dim in x.shape if isinstance(dim, int)], initial=1))
    free = tuple(dim for dim in x.shape if not isinstance(dim, int))
    if not free:
        return ops.constant(float(known), "f32")
    ones = ops.broadcast_to(ops.constant(float(known), "f32"), free)
    return ops.reduce_sum(ones, tuple(range(len(free))))


def divide_no_nan(x: Value, y: Value) -> Value:
    """x / y, and 0 where y is 0."""
    zero = ops.Equal()(y, ops.constant(0.0, y.dtype))
    safe = ops.select(zero, ops.constant(1.0, y.dtype), y)
    return ops.select(zero, ops.constant(0.0, x.dtype), x / safe)


def expanded(x: Value, axis: int = -1) -> Value:
    """One more axis, of length 1."""
    axis %= x.ndim + 1
    return ops.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def squeezed(x: Value, axis: int = -1) -> Value:
    """Without an axis of length 1."""
    axis = axis_of(axis, x)
    return ops.reshape(x, (*x.shape[:axis], *x.shape[axis + 1 :]))


def same_rank(x: Value, y: Value, expand: bool = True) -> tuple[Value, Value]:
    """Both with as many axes, where they differ by a last one of length 1, as Keras does it."""
    if x.ndim == y.ndim + 1 and x.shape[-1] == 1:
        return (x, expanded(y)) if y.ndim == 1 and expand else (squeezed(x), y)
    if y.ndim == x.ndim + 1 and y.shape[-1] == 1:
        return (expanded(x), y) if x.ndim == 1 and expand else (x, squeezed(y))
    return x, y


def numbered(length: Any, axis: int, ndim: int) -> Value:
    """0, 1, ..., length - 1 along one of `ndim` axes, i32."""
    if not isinstance(length, int):
        raise ShapeError(f"the number of classes must be known, but is {length}")
    shape = [1] * ndim
    shape[axis] = length
    return ops.constant(np.arange(length, dtype=np.int32).reshape(shape))


def one_hot(labels: Value, length: Any, axis: int = -1) -> Value:
    """1 where the label says, else 0, along a new axis; f32. Labels outside give 0 everywhere."""
    wide = expanded(ops.cast(labels, "i32"), axis)
    axis %= wide.ndim
    return number(ops.Equal()(wide, numbered(length, axis, wide.ndim)))


def identity(dim: Any) -> Value:
    """1 on the diagonal of a square, else 0; f32."""
    one = ops.broadcast_to(ops.constant(1.0, "f32"), (dim, 1))
    rest = ops.broadcast_to(ops.constant(0.0, "f32"), (dim, dim))
    # rows one longer than the square: the ones lie at every (dim + 1)-th place
    rows = ops.concatenate([one, rest], 1)
    flat = ops.reshape(rows, (dim * (dim + 1),))
    return ops.reshape(ops.slice_axis(flat, 0, 0, dim * dim), (dim, dim))


def log_sum_exp(x: Value, axis: int) -> Value:
    """log(sum(exp(x))) without overflow."""
    top = largest(x, axis, keepdims=True)
    return log(total(ops.Exp()(x - top), axis)) + squeezed(top, axis)


def log_add_exp(x: Value, y: Value) -> Value:
    """log(exp(x) + exp(y)) without overflow."""
    return ops.maximum(x, y) + ops.Log1p()(ops.Exp()(-abs(x - y)))


def prepared(y_true: Value, y_pred: Value) -> tuple[Value, Value]:
    """Both of the dtype of `y_pred`, or f32 where that is an integer, and of one rank."""
    dtype = y_pred.dtype if y_pred.tensor_type.is_float else "f32"
    return same_rank(ops.cast(y_true, dtype), ops.cast(y_pred, dtype))


def same_shape(y_true: Value, y_pred: Value) -> None:
    """Refuse shapes that differ; a batch of unknown length may meet any other."""
    pairs = zip(y_true.shape, y_pred.shape, strict=False)
    if y_true.ndim != y_pred.ndim or any(
        one != other and isinstance(one, int) and isinstance(other, int) for one, other in pairs
    ):
        raise ShapeError(
            f"labels and predictions must have one shape, but are {y_true.type} and {y_pred.type}"
        )
