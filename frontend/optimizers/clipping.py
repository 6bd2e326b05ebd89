"""Gradients kept small, by one of three limits."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.ir import Value, ops
from kerac.ir.types import widest_float

Gradients = Sequence[Value | None]


def clip(
    gradients: Gradients,
    norm: float | None,
    value: float | None,
    global_norm: float | None,
) -> Gradients:
    """Gradients of a norm of at most `norm` each, of `global_norm` together, or within ±value."""
    if norm:
        return [None if g is None else _by_norm(g, norm) for g in gradients]
    if global_norm:
        return _by_global_norm(gradients, global_norm)
    if value:
        return [
            None if g is None else ops.minimum(ops.maximum(g, -value), value) for g in gradients
        ]
    return gradients


def square_sum(x: Value) -> Value:
    """sum(x * x) over all axes."""
    return ops.reduce_sum(x * x, tuple(range(x.ndim)))


def norm_of(x: Value) -> Value:
    """sqrt(sum(x * x)) over all axes."""
    return ops.Sqrt()(square_sum(x))


def _by_norm(gradient: Value, limit: float) -> Value:
    return gradient * limit / ops.maximum(norm_of(gradient), limit)


def _by_global_norm(gradients: Gradients, limit: float) -> Gradients:
    squares = [square_sum(g) for g in gradients if g is not None]
    if not squares:
        return gradients
    dtype = widest_float(square.dtype for square in squares) or "f32"
    total = sum((ops.cast(square, dtype) for square in squares[1:]), ops.cast(squares[0], dtype))
    norm = ops.Sqrt()(total)
    scale = limit * ops.minimum(1.0 / norm, 1.0 / limit)
    # a norm that is no number or not finite shows in every weight, as in Keras
    scale = scale + (norm - norm)
    return [None if g is None else g * ops.cast(scale, g.dtype) for g in gradients]
