"""Ops that only act in training vanish."""

from __future__ import annotations

from dataclasses import dataclass

from kerac.ir import Value
from kerac.ir.ops import CustomGradient, Dropout, StopGradient
from kerac.passes.base import Pass
from kerac.passes.rewrite import Uses


def drop_dropout(value: Value, uses: Uses) -> Value | None:
    """Dropout does nothing in inference.

    def before(x: f32[N, 4]):
        y = dropout(x, rate=0.5)
        z = relu(y)
        return z
    def after(x: f32[N, 4]):
        z = relu(x)
        return z
    """
    match value:
        case Value(Dropout(), (Value() as x,)):
            return x
    return None


def drop_stop_gradient(value: Value, uses: Uses) -> Value | None:
    """Without gradients there is nothing to stop.

    def before(x: f32[N, 4]):
        y = stop_gradient(x)
        z = relu(y)
        return z
    def after(x: f32[N, 4]):
        z = relu(x)
        return z
    """
    match value:
        case Value(StopGradient(), (Value() as x,)):
            return x
    return None


def drop_custom_gradient(value: Value, uses: Uses) -> Value | None:
    """Nor does it matter where they would go.

    def before(x: f32[N, 4]):
        e = exp(x)
        y = custom_gradient(e, x, number=0)
        z = relu(y)
        return z
    def after(x: f32[N, 4]):
        e = exp(x)
        z = relu(e)
        return z
    """
    match value:
        case Value(CustomGradient(), (Value() as y, *_)):
            return y
    return None


@dataclass(frozen=True)
class DropTrainingOps(Pass):
    """Remove what only acts in training."""

    rules = (drop_dropout, drop_stop_gradient, drop_custom_gradient)
