"""Losses of probabilities or logits of classes."""

from __future__ import annotations

from kerac.activations import axis_of
from kerac.eager import on_arrays_too
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.losses.functions import (
    EPSILON,
    Axis,
    clip,
    log,
    mean,
    one_hot,
    same_shape,
    squeezed,
    total,
)


def both_float(y_true: Value, y_pred: Value) -> tuple[Value, Value]:
    """Labels in the dtype of predictions, which become f32 where they are integers."""
    dtype = y_pred.dtype if y_pred.tensor_type.is_float else "f32"
    return ops.cast(y_true, dtype), ops.cast(y_pred, dtype)


def log_probabilities(y_pred: Value, from_logits: bool, axis: int) -> Value:
    """Of logits, or of what need not sum to 1."""
    if from_logits:
        return ops.LogSoftmax(axis_of(axis, y_pred))(y_pred)
    return log(normalized(y_pred, axis))


def normalized(y_pred: Value, axis: int) -> Value:
    """Probabilities that sum to 1, away from 0 and 1."""
    shares = y_pred / total(y_pred, axis, keepdims=True)
    return clip(shares, EPSILON, 1.0 - EPSILON)


def checked_axis(axis: int) -> int:
    """An axis, which True and False are not."""
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise CompileError(f"axis must be an integer, but is {axis!r}")
    return axis


def smoothed(y_true: Value, label_smoothing: float) -> Value:
    """Labels with a share taken away and spread over all classes."""
    if not label_smoothing:
        return y_true
    share: float = label_smoothing / y_true.shape[-1]
    return y_true * (1.0 - label_smoothing) + share


@on_arrays_too(2)
def categorical_crossentropy(
    y_true: Value,
    y_pred: Value,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Value:
    """-sum(y_true * log(y_pred)), `y_true` one-hot."""
    y_true, y_pred = both_float(y_true, y_pred)
    same_shape(y_true, y_pred)
    y_true = smoothed(y_true, label_smoothing)
    return -total(y_true * log_probabilities(y_pred, from_logits, checked_axis(axis)), axis)


@on_arrays_too(2)
def categorical_focal_crossentropy(
    y_true: Value,
    y_pred: Value,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Value:
    """Cross-entropy in which easy samples count less (Lin et al., 2018)."""
    y_true, y_pred = both_float(y_true, y_pred)
    same_shape(y_true, y_pred)
    y_true = smoothed(y_true, label_smoothing)
    if from_logits:
        y_pred = ops.Softmax(axis_of(checked_axis(axis), y_pred))(y_pred)
    output = normalized(y_pred, checked_axis(axis))
    weight = alpha * (1.0 - output) ** gamma
    return total(weight * (-y_true * log(output)), axis)


@on_arrays_too(2)
def sparse_categorical_crossentropy(
    y_true: Value,
    y_pred: Value,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Value:
    """-log(y_pred[label]); a label that is no class, or `ignore_class`, gives 0."""
    y_pred = both_float(y_pred, y_pred)[1]
    axis = axis_of(checked_axis(axis), y_pred)
    labels = class_labels(y_true, y_pred, axis)
    logs = log_probabilities(y_pred, from_logits, axis)
    losses = -total(one_hot(labels, y_pred.shape[axis], axis) * logs, axis)
    valid = valid_labels(y_true, y_pred, ignore_class, axis)
    if valid is None:
        return losses
    return ops.select(valid, losses, ops.constant(0.0, losses.dtype))


def class_labels(y_true: Value, y_pred: Value, axis: int) -> Value:
    """Labels as numbers, in the shape of the predictions without the axis of classes."""
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        y_true = squeezed(y_true, axis)
    expected = (*y_pred.shape[:axis], *y_pred.shape[axis + 1 :])
    known = zip(y_true.shape, expected, strict=False)
    if y_true.ndim != len(expected) or any(
        a != b and isinstance(a, int) and isinstance(b, int) for a, b in known
    ):
        raise ShapeError(
            f"labels must have the shape of the predictions without the classes, "
            f"but they are {y_true.type} and {y_pred.type}",
            remedy="Use categorical_crossentropy for labels in one-hot code.",
        )
    return ops.cast(y_true, "i32")


def valid_labels(y_true: Value, y_pred: Value, ignore_class: int | None, axis: int) -> Value | None:
    """Which samples count; None where all do."""
    if ignore_class is None:
        return None
    labels = class_labels(y_true, y_pred, axis_of(axis, y_pred))
    return ops.NotEqual()(labels, ops.constant(ignore_class, "i32"))


def binary_entropies(y_true: Value, y_pred: Value, from_logits: bool) -> Value:
    """-(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred)), element by element."""
    same_shape(y_true, y_pred)
    if from_logits:
        yes, no = ops.LogSigmoid()(y_pred), ops.LogSigmoid()(-y_pred)
    else:
        y_pred = clip(y_pred, EPSILON, 1.0 - EPSILON)
        yes, no = log(y_pred), log(1.0 - y_pred)
    return -(y_true * yes + (1.0 - y_true) * no)


@on_arrays_too(2)
def binary_crossentropy(
    y_true: Value,
    y_pred: Value,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
) -> Value:
    """The mean of -log of the probability of the right one of two classes."""
    y_true, y_pred = both_float(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return mean(binary_entropies(y_true, y_pred, from_logits), axis)


@on_arrays_too(2)
def binary_focal_crossentropy(
    y_true: Value,
    y_pred: Value,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
) -> Value:
    """Binary cross-entropy in which easy samples count less (Lin et al., 2018)."""
    y_true, y_pred = both_float(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        y_pred = ops.Sigmoid()(y_pred)
    entropy = binary_entropies(y_true, y_pred, False)
    right = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    losses = (1.0 - right) ** gamma * entropy
    if apply_class_balancing:
        losses = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * losses
    return mean(losses, axis)


@on_arrays_too(2)
def categorical_generalized_cross_entropy(y_true: Value, y_pred: Value, q: float) -> Value:
    """(1 - p ** q) / q, p the probability of the label (Zhang and Sabuncu, 2018)."""
    y_pred = both_float(y_pred, y_pred)[1]
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = squeezed(y_true)
    right = total(y_pred * one_hot(y_true, y_pred.shape[-1]), -1)
    return (1.0 - right**q) / q
