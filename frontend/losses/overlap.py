"""Losses of sets and of embeddings."""

from __future__ import annotations

from kerac.eager import on_arrays_too
from kerac.ir import Value, ops
from kerac.losses.classification import both_float
from kerac.losses.functions import (
    EPSILON,
    Axis,
    identity,
    log_sum_exp,
    number,
    total,
)

NEVER = -1e30


@on_arrays_too(2)
def dice(y_true: Value, y_pred: Value, axis: Axis = None) -> Value:
    """1 - twice what is common by the sizes of both."""
    y_true, y_pred = both_float(y_true, y_pred)
    common = total(y_true * y_pred, axis)
    return 1.0 - 2.0 * common / (total(y_true, axis) + total(y_pred, axis) + EPSILON)


@on_arrays_too(2)
def tversky(
    y_true: Value, y_pred: Value, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None
) -> Value:
    """1 - what is common by itself and the weighted rests of both."""
    y_true, y_pred = both_float(y_true, y_pred)
    common = total(y_true * y_pred, axis)
    missed = total((1.0 - y_pred) * y_true, axis)
    wrong = total(y_pred * (1.0 - y_true), axis)
    return 1.0 - common / (common + missed * alpha + wrong * beta + EPSILON)


@on_arrays_too(4)
def circle(
    y_true: Value,
    y_pred: Value,
    ref_labels: Value | None = None,
    ref_embeddings: Value | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Value:
    """Sun et al., 2020: embeddings of a label near each other, those of others far away."""
    own = _column(y_true)
    others = own if ref_labels is None else _column(ref_labels)
    references = y_pred if ref_embeddings is None else ref_embeddings
    similar = ops.Matmul()(y_pred, ops.transpose(references, (1, 0)))
    distances = ops.maximum(1.0 - similar, 0.0)
    same = ops.Equal()(own, ops.transpose(others, (1, 0)))
    positive, negative = number(same), 1.0 - number(same)
    if remove_diagonal:
        positive = positive * (1.0 - identity(y_pred.shape[0]))
    near = ops.maximum((margin + distances) * positive, 0.0)
    far = ops.maximum((1.0 + margin - distances) * negative, 0.0)
    pull = -gamma * near * (margin - distances)
    push = gamma * far * (1.0 - margin - distances)
    never = ops.constant(NEVER, "f32")
    sums = [
        log_sum_exp(ops.select(mask > 0.5, x, never), 1)
        for mask, x in ((positive, pull), (negative, push))
    ]
    return ops.Softplus()(sums[0] + sums[1])


def _column(labels: Value) -> Value:
    return ops.reshape(ops.cast(labels, "i32"), (labels.shape[0], 1))
