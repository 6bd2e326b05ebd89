"""Activations with arguments."""

from __future__ import annotations

from kerac import activations
from kerac.ir import Value
from kerac.ops.promotion import floating
from kerac.ops.registry import operation

Axis = int | list[int] | tuple[int, ...]


@operation("nn")
def hard_shrink(x: Value, threshold: float = 0.5) -> Value:
    """x where |x| > threshold, else 0."""
    return activations.hard_shrink(floating(x), threshold)  # type: ignore[no-any-return]


@operation("nn")
def soft_shrink(x: Value, threshold: float = 0.5) -> Value:
    """x moved by `threshold` towards 0."""
    return activations.soft_shrink(floating(x), threshold)  # type: ignore[no-any-return]


@operation("nn")
def squareplus(x: Value, b: float = 4) -> Value:
    """(x + sqrt(x * x + b)) / 2."""
    return activations.squareplus(floating(x), b)  # type: ignore[no-any-return]


@operation("nn")
def threshold(x: Value, threshold: float, default_value: float) -> Value:
    """x where x > threshold, else default_value."""
    return activations.threshold(floating(x), threshold, default_value)  # type: ignore[no-any-return]


@operation("nn")
def sparsemax(x: Value, axis: int = -1) -> Value:
    """max(x - threshold, 0), the threshold such that the sum is 1."""
    return activations.sparsemax(floating(x), axis)  # type: ignore[no-any-return]


@operation("nn")
def gelu(x: Value, approximate: bool = True) -> Value:
    """x * Phi(x)."""
    return activations.get("gelu")(floating(x), approximate=approximate)  # type: ignore[no-any-return]


@operation("nn")
def leaky_relu(x: Value, negative_slope: float = 0.2) -> Value:
    """x, or a part of it below 0."""
    return activations.get("leaky_relu")(floating(x), negative_slope)  # type: ignore[no-any-return]


@operation("nn")
def elu(x: Value, alpha: float = 1.0) -> Value:
    """x, or alpha * (exp(x) - 1) below 0."""
    return activations.get("elu")(floating(x), alpha)  # type: ignore[no-any-return]


@operation("nn")
def celu(x: Value, alpha: float = 1.0) -> Value:
    """ELU with a continuous slope."""
    return activations.get("celu")(floating(x), alpha)  # type: ignore[no-any-return]


@operation("nn")
def glu(x: Value, axis: int = -1) -> Value:
    """One half along an axis times the sigmoid of the other."""
    return activations.get("glu")(floating(x), axis)  # type: ignore[no-any-return]


@operation("nn")
def softmax(x: Value, axis: Axis | None = -1) -> Value:
    """exp(x) / sum(exp(x))."""
    along = tuple(range(x.ndim)) if axis is None else axis
    return activations.get("softmax")(floating(x), along)  # type: ignore[no-any-return]


@operation("nn")
def log_softmax(x: Value, axis: Axis | None = -1) -> Value:
    """log(softmax(x))."""
    along = tuple(range(x.ndim)) if axis is None else axis
    return activations.get("log_softmax")(floating(x), along)  # type: ignore[no-any-return]
