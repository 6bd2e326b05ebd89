"""Steps along the gradient, or along the sign of its moving average."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.optimizers.base import Optimizer
from kerac.optimizers.rate import LearningRate, rate
from kerac.optimizers.slots import Moment, Slot, Slots


class SGD(Optimizer):
    """w - learning_rate * g, or with momentum m = momentum * m - learning_rate * g, w + m."""

    learning_rate: LearningRate = rate(0.01)  # type: ignore[misc]
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.momentum <= 1:
            raise CompileError(f"SGD: momentum is {self.momentum}, but must be in [0, 1]")

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("momentum")]] if self.momentum else []

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        move = gradient * now.learning_rate
        if not self.momentum:
            return weight - move
        slots["momentum"] = momentum = slots["momentum"] * self.momentum - move
        return weight + (momentum * self.momentum - move if self.nesterov else momentum)


class Lion(Optimizer):
    """Chen et al., 2023: w - learning_rate * sign(a mean of momentum and gradient)."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    beta_1: float = 0.9
    beta_2: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.beta_1 <= 1:
            raise CompileError(f"Lion: beta_1 is {self.beta_1}, but must be in (0, 1]")

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("momentum")]]

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        mixed = slots["momentum"] * self.beta_1 + gradient * (1.0 - self.beta_1)
        slots["momentum"] = slots["momentum"] * self.beta_2 + gradient * (1.0 - self.beta_2)
        return weight - now.learning_rate * sign(mixed)


def sign(x: Value) -> Value:
    """-1, 0 or 1."""
    return ops.cast(x > 0, x.dtype) - ops.cast(x < 0, x.dtype)
