"""Connectionist temporal classification: labels of a sequence whose places are not known."""

from __future__ import annotations

from kerac.eager import on_arrays_too
from kerac.ir import Value, ops
from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.losses.functions import log_add_exp, number, one_hot, total

NEVER = -1e5


@on_arrays_too(2)
def ctc(y_true: Value, y_pred: Value) -> Value:
    """Graves et al., 2006; labels are padded with 0, which is the blank too.

    y_true: [N, L], y_pred: f32[N, T, C] logits, T known -> f32[N]
    """
    labels = ops.cast(y_true, "i32")
    counts = total(number(ops.NotEqual()(labels, ops.constant(0, "i32"))), 1)
    return unlikeliness(ops.cast(y_pred, "f32"), labels, counts)


def unlikeliness(
    logits: Value, labels: Value, counts: Value, ends: Value | None = None, blank: int = 0
) -> Value:
    """How unlikely the first labels of each row are in its steps, or in those before `ends`.

    logits: t[N, T, C], T known; labels: i32[N, L]; counts: [N]; ends: i32[N] -> t[N]
    """
    if labels.ndim != 2 or logits.ndim != 3:
        raise ShapeError(
            f"ctc takes labels [N, L] and logits [N, T, C], but got {labels.type} and {logits.type}"
        )
    batch, steps, classes = logits.shape
    length = labels.shape[1]
    if not isinstance(steps, int) or not isinstance(length, int):
        raise ShapeError(f"ctc: the numbers of steps and labels must be known, not {steps, length}")
    logs = ops.LogSoftmax(2)(logits)
    # [N, T, C] [N, C, L] -> [N, T, L]
    emit = ops.Matmul()(logs, ops.cast(one_hot(labels, classes, 1), logs.dtype))
    again = _repeats(labels, logs.dtype)
    blank_state, label_state = _start(batch, length, logs.dtype)
    for step in range(steps):
        now = ops.reshape(ops.slice_axis(emit, 1, step, step + 1), (batch, length))
        empty = ops.Slice((0, step, blank), (batch, step + 1, blank + 1))(logs)
        empty = ops.reshape(empty, (batch, 1))
        entered = _enter(blank_state, label_state + NEVER * again)
        before = ops.slice_axis(entered, 1, 0, length)
        next_blank = _enter(entered + empty, label_state + empty + NEVER * (1.0 - again))
        next_label = log_add_exp(before + now, label_state + now)
        if ends is not None:
            goes_on = ops.reshape(ends, (batch, 1)) > step
            next_blank = ops.select(goes_on, next_blank, blank_state)
            next_label = ops.select(goes_on, next_label, label_state)
        blank_state, label_state = next_blank, next_label
    last = _enter(blank_state, label_state)
    return -total(last * ops.cast(one_hot(counts, length + 1), last.dtype), 1)


def _repeats(labels: Value, dtype: str) -> Value:
    """1 where the next label is the same."""
    length = labels.shape[1]
    same = ops.Equal()(
        ops.slice_axis(labels, 1, 0, length - 1), ops.slice_axis(labels, 1, 1, length)
    )
    return ops.Pad(((0, 0), (0, 1)))(ops.cast(same, dtype))


def _start(batch: DimLike, length: int, dtype: str) -> tuple[Value, Value]:
    """Log probabilities of being at a blank before each label, and at each label."""
    zero, never = ops.constant(0.0, dtype), ops.constant(NEVER, dtype)
    at_label = ops.broadcast_to(never, (batch, length))
    first = ops.broadcast_to(zero, (batch, 1))
    return ops.concatenate([first, at_label], 1), at_label


def _enter(blank_state: Value, score: Value) -> Value:
    """The blanks behind each label gain what comes from the label."""
    length = blank_state.shape[1]
    first = ops.slice_axis(blank_state, 1, 0, 1)
    rest = log_add_exp(ops.slice_axis(blank_state, 1, 1, length), score)
    return ops.concatenate([first, rest], 1)
