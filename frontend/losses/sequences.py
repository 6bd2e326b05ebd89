"""Connectionist temporal classification: labels of a sequence whose places are not known."""

from __future__ import annotations

from kerac.eager import on_arrays_too
from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError
from kerac.losses.functions import log_add_exp, number, one_hot, total

NEVER = -1e5


@on_arrays_too(2)
def ctc(y_true: Value, y_pred: Value) -> Value:
    """Graves et al., 2006; labels are padded with 0, which is the blank too.

    y_true: [N, L], y_pred: f32[N, T, C] logits, T known -> f32[N]
    """
    if y_true.ndim != 2 or y_pred.ndim != 3:
        raise ShapeError(
            f"ctc takes labels [N, L] and logits [N, T, C], but got {y_true.type} and {y_pred.type}"
        )
    steps, length = y_pred.shape[1], y_true.shape[1]
    if not isinstance(steps, int) or not isinstance(length, int):
        raise ShapeError(f"ctc: the numbers of steps and labels must be known, not {steps, length}")
    labels = ops.cast(y_true, "i32")
    logs = ops.LogSoftmax(2)(ops.cast(y_pred, "f32"))
    # [N, T, C] [N, C, L] -> [N, T, L]
    emit = ops.Matmul()(logs, one_hot(labels, y_pred.shape[2], 1))
    again = _repeats(labels)
    blank_state, label_state = _start(y_pred.shape[0], length)
    for step in range(steps):
        now = ops.reshape(ops.slice_axis(emit, 1, step, step + 1), (y_pred.shape[0], length))
        blank = ops.Slice((0, step, 0), (y_pred.shape[0], step + 1, 1))(logs)
        blank = ops.reshape(blank, (y_pred.shape[0], 1))
        entered = _enter(blank_state, label_state + NEVER * again)
        before = ops.slice_axis(entered, 1, 0, length)
        blank_state = _enter(entered + blank, label_state + blank + NEVER * (1.0 - again))
        label_state = log_add_exp(before + now, label_state + now)
    last = _enter(blank_state, label_state)
    count = total(number(ops.NotEqual()(labels, ops.constant(0, "i32"))), 1)
    return -total(last * one_hot(count, length + 1), 1)


def _repeats(labels: Value) -> Value:
    """1 where the next label is the same, f32."""
    length = labels.shape[1]
    same = ops.Equal()(
        ops.slice_axis(labels, 1, 0, length - 1), ops.slice_axis(labels, 1, 1, length)
    )
    return ops.Pad(((0, 0), (0, 1)))(number(same))


def _start(batch: object, length: int) -> tuple[Value, Value]:
    """Log probabilities of being at a blank before each label, and at each label."""
    zero, never = ops.constant(0.0, "f32"), ops.constant(NEVER, "f32")
    at_label = ops.broadcast_to(never, (batch, length))  # type: ignore[arg-type]
    first = ops.broadcast_to(zero, (batch, 1))  # type: ignore[arg-type]
    return ops.concatenate([first, at_label], 1), at_label


def _enter(blank_state: Value, score: Value) -> Value:
    """The blanks behind each label gain what comes from the label."""
    length = blank_state.shape[1]
    first = ops.slice_axis(blank_state, 1, 0, 1)
    rest = log_add_exp(ops.slice_axis(blank_state, 1, 1, length), score)
    return ops.concatenate([first, rest], 1)
