"""Muon: steps of matrices made orthogonal (Jordan et al., 2024)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import sqrt

from kerac.ir import Value, ops
from kerac.optimizers.adam import adam_step
from kerac.optimizers.base import Optimizer
from kerac.optimizers.clipping import norm_of
from kerac.optimizers.rate import LearningRate, rate
from kerac.optimizers.slots import Moment, Slot, Slots
from kerac.variable import Variable


class Muon(Optimizer):
    """Momentum of matrices by Newton's and Schulz's iteration; all other weights by Adam."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float | None = 0.004
    epsilon: float = 1e-7
    weight_decay: float | None = 0.004
    exclude_layers: list[str] | None = None
    exclude_embeddings: bool = True
    muon_a: float = 3.4445
    muon_b: float = -4.7750
    muon_c: float = 2.0315
    adam_lr_ratio: float = 1
    momentum: float = 0.95
    ns_steps: int = 5
    nesterov: bool = True
    rms_rate: float | None = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exclude_layers = self.exclude_layers or []

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("momentum"), Slot("velocity")]]

    def slot_variable(self, slot: Slot, weight: Variable) -> Variable | None:
        if slot.name == "velocity" and not self._by_adam(weight):
            return None
        return super().slot_variable(slot, weight)

    def _by_adam(self, weight: Variable) -> bool:
        if weight.ndim != 2 or (self.exclude_embeddings and "embedding" in weight.path.lower()):
            return True
        return any(re.search(keyword, weight.path) for keyword in self.exclude_layers or ())

    def decay_of(self, weight: Variable) -> float | None:
        return self.adam_weight_decay if self._by_adam(weight) else self.weight_decay

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        if "velocity" in slots:
            slower = Moment(
                now.iterations, now.learning_rate * self.adam_lr_ratio, now.step, now.shared
            )
            betas = (self.adam_beta_1, self.adam_beta_2)
            return adam_step(weight, gradient, slots, slower, betas, self.epsilon)
        slots["momentum"] = momentum = slots["momentum"] + (
            gradient + slots["momentum"] * (self.momentum - 1)
        )
        move = gradient + self.momentum * momentum if self.nesterov else momentum
        move = now.learning_rate * self._orthogonal(move)
        if self.rms_rate is not None:
            move = move * sqrt(max(weight.shape)) * self.rms_rate
        return weight - move

    def _orthogonal(self, x: Value) -> Value:
        """About the nearest matrix with orthonormal rows or columns."""
        tall = x.shape[0] > x.shape[1]
        x = _transposed(x) if tall else x
        x = x / (norm_of(x) + 1e-7)
        product = ops.Matmul()
        for _ in range(self.ns_steps):
            square = product(x, _transposed(x))
            mixed = self.muon_b * square + product(self.muon_c * square, square)
            x = self.muon_a * x + product(mixed, x)
        return _transposed(x) if tall else x


def _transposed(x: Value) -> Value:
    return ops.transpose(x, (1, 0))
