"""How often predictions are right."""

from __future__ import annotations

from kerac.activations import axis_of
from kerac.eager import on_arrays_too
from kerac.ir import Value, ops
from kerac.losses.functions import (
    expanded,
    largest,
    number,
    numbered,
    one_hot,
    prepared,
    same_rank,
    squeezed,
    total,
)


def argmax(x: Value, axis: int = -1) -> Value:
    """The place of the largest element along an axis, the first of several; f32."""
    axis = axis_of(axis, x)
    places = ops.cast(numbered(x.shape[axis], axis, x.ndim), "f32")
    is_top = ops.Equal()(x, largest(x, axis, keepdims=True))
    never = ops.constant(float(x.shape[axis]), "f32")
    return ops.ReduceMin((axis,))(ops.select(is_top, places, never))


@on_arrays_too(2)
def accuracy(y_true: Value, y_pred: Value) -> Value:
    """1 where label and prediction are equal."""
    return number(ops.Equal()(*prepared(y_true, y_pred)))


@on_arrays_too(2)
def binary_accuracy(y_true: Value, y_pred: Value, threshold: float = 0.5) -> Value:
    """1 where the prediction is on the label's side of the threshold."""
    y_true, y_pred = same_rank(ops.cast(y_true, "f32"), ops.cast(y_pred, "f32"))
    return number(ops.Equal()(y_true, number(y_pred > threshold)))


@on_arrays_too(2)
def categorical_accuracy(y_true: Value, y_pred: Value) -> Value:
    """1 where the largest prediction is that of the label in one-hot code."""
    return number(ops.Equal()(argmax(y_true), argmax(y_pred)))


@on_arrays_too(2)
def sparse_categorical_accuracy(y_true: Value, y_pred: Value) -> Value:
    """1 where the largest prediction is that of the label."""
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = squeezed(y_true)
    matches = number(ops.Equal()(ops.cast(y_true, "f32"), argmax(y_pred)))
    return squeezed(matches) if matches.ndim > 1 and matches.shape[-1] == 1 else matches


@on_arrays_too(2)
def top_k_categorical_accuracy(y_true: Value, y_pred: Value, k: int = 5) -> Value:
    """1 where the prediction of the label in one-hot code is among the k largest."""
    return in_top_k(argmax(y_true), y_pred, k)


@on_arrays_too(2)
def sparse_top_k_categorical_accuracy(
    y_true: Value, y_pred: Value, k: int = 5, from_sorted_ids: bool = False
) -> Value:
    """1 where the prediction of the label is among the k largest, or the label among k ids."""
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = squeezed(y_true)
    if not from_sorted_ids:
        return in_top_k(y_true, y_pred, k)
    last = y_pred.ndim - 1
    first = ops.slice_axis(ops.cast(y_pred, "f32"), last, 0, min(k, y_pred.shape[-1]))
    return largest(number(ops.Equal()(expanded(ops.cast(y_true, "f32")), first)), -1)


def in_top_k(labels: Value, y_pred: Value, k: int) -> Value:
    """1 where fewer than k predictions are larger than that of the label."""
    y_pred = ops.cast(y_pred, "f32")
    own = total(one_hot(labels, y_pred.shape[-1]) * y_pred, -1, keepdims=True)
    return number(total(number(y_pred > own), -1) < k)
