"""Distances between numbers, of hinges too; each gives the losses without the last axis."""

from __future__ import annotations

from math import log as logarithm

from kerac.eager import on_arrays_too
from kerac.ir import Value, ops
from kerac.losses.functions import (
    EPSILON,
    Axis,
    clip,
    every,
    largest,
    log,
    mean,
    prepared,
    total,
)


@on_arrays_too(2)
def mean_squared_error(y_true: Value, y_pred: Value) -> Value:
    """mean((y_true - y_pred) ** 2)."""
    y_true, y_pred = prepared(y_true, y_pred)
    return mean(ops.Square()(y_true - y_pred), -1)


@on_arrays_too(2)
def mean_absolute_error(y_true: Value, y_pred: Value) -> Value:
    """mean(|y_true - y_pred|)."""
    y_true, y_pred = prepared(y_true, y_pred)
    return mean(abs(y_true - y_pred), -1)


@on_arrays_too(2)
def mean_absolute_percentage_error(y_true: Value, y_pred: Value) -> Value:
    """100 * mean(|y_true - y_pred| / |y_true|)."""
    y_true, y_pred = prepared(y_true, y_pred)
    return 100.0 * mean(abs((y_true - y_pred) / ops.maximum(abs(y_true), EPSILON)), -1)


@on_arrays_too(2)
def mean_squared_logarithmic_error(y_true: Value, y_pred: Value) -> Value:
    """mean((log(y_true + 1) - log(y_pred + 1)) ** 2)."""
    y_true, y_pred = prepared(y_true, y_pred)
    first, second = (log(ops.maximum(y, EPSILON) + 1.0) for y in (y_pred, y_true))
    return mean(ops.Square()(first - second), -1)


@on_arrays_too(2)
def cosine_similarity(y_true: Value, y_pred: Value, axis: int = -1) -> Value:
    """The negative cosine of the angle between both, so that -1 is the best."""
    y_true, y_pred = prepared(y_true, y_pred)
    return -total(unit(y_true, axis) * unit(y_pred, axis), axis)


def unit(x: Value, axis: Axis) -> Value:
    """x divided by its norm along an axis."""
    inverse = ops.Rsqrt()(total(ops.Square()(x), axis, keepdims=True))
    return x * ops.minimum(inverse, 1.0 / EPSILON)


@on_arrays_too(2)
def huber(y_true: Value, y_pred: Value, delta: float = 1.0) -> Value:
    """Half the square up to `delta`, then a line."""
    y_true, y_pred = prepared(y_true, y_pred)
    error = y_pred - y_true
    size = abs(error)
    line = delta * size - 0.5 * delta * delta
    return mean(ops.select(size <= delta, 0.5 * ops.Square()(error), line), -1)


@on_arrays_too(2)
def log_cosh(y_true: Value, y_pred: Value) -> Value:
    """mean(log(cosh(y_pred - y_true)))."""
    y_true, y_pred = prepared(y_true, y_pred)
    error = y_pred - y_true
    return mean(error + ops.Softplus()(error * -2.0) - logarithm(2.0), -1)


@on_arrays_too(2)
def kl_divergence(y_true: Value, y_pred: Value) -> Value:
    """sum(y_true * log(y_true / y_pred))."""
    y_true, y_pred = (clip(ops.cast(y, "f32"), EPSILON, 1.0) for y in (y_true, y_pred))
    return total(y_true * log(y_true / y_pred), -1)


@on_arrays_too(2)
def poisson(y_true: Value, y_pred: Value) -> Value:
    """mean(y_pred - y_true * log(y_pred))."""
    y_true, y_pred = ops.cast(y_true, "f32"), ops.cast(y_pred, "f32")
    return mean(y_pred - y_true * log(y_pred + EPSILON), -1)


def signs(y_true: Value) -> Value:
    """Labels of 0 and 1 as -1 and 1; others as they are."""
    zero, one = (ops.Equal()(y_true, ops.constant(n, y_true.dtype)) for n in (0.0, 1.0))
    return ops.select(every(zero | one), 2.0 * y_true - 1.0, y_true)


@on_arrays_too(2)
def hinge(y_true: Value, y_pred: Value) -> Value:
    """mean(max(1 - y_true * y_pred, 0))."""
    y_true, y_pred = ops.cast(y_true, "f32"), ops.cast(y_pred, "f32")
    return mean(ops.maximum(1.0 - signs(y_true) * y_pred, 0.0), -1)


@on_arrays_too(2)
def squared_hinge(y_true: Value, y_pred: Value) -> Value:
    """mean(max(1 - y_true * y_pred, 0) ** 2)."""
    y_true, y_pred = ops.cast(y_true, "f32"), ops.cast(y_pred, "f32")
    return mean(ops.Square()(ops.maximum(1.0 - signs(y_true) * y_pred, 0.0)), -1)


@on_arrays_too(2)
def categorical_hinge(y_true: Value, y_pred: Value) -> Value:
    """max(neg - pos + 1, 0): the best wrong class against the right one."""
    y_true, y_pred = ops.cast(y_true, "f32"), ops.cast(y_pred, "f32")
    right = total(y_true * y_pred, -1)
    wrong = largest((1.0 - y_true) * y_pred, -1)
    return ops.maximum(wrong - right + 1.0, 0.0)
