"""Adam and its kin: moving averages of gradients and of their squares."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.optimizers.base import Optimizer
from kerac.optimizers.clipping import norm_of
from kerac.optimizers.rate import LearningRate, rate
from kerac.optimizers.slots import Moment, Slot, Slots


def moving(old: Value, new: Value, beta: float) -> Value:
    """The moving average after one more value."""
    return old + (new - old) * (1 - beta)


def adam_step(
    weight: Value,
    gradient: Value,
    slots: Slots,
    now: Moment,
    betas: tuple[float, float],
    epsilon: float,
) -> Value:
    """Kingma and Ba, 2015, with the corrections of both averages in the learning rate."""
    beta_1, beta_2 = betas
    slots["momentum"] = momentum = moving(slots["momentum"], gradient, beta_1)
    slots["velocity"] = velocity = moving(slots["velocity"], gradient * gradient, beta_2)
    if "velocity_hat" in slots:
        slots["velocity_hat"] = velocity = ops.maximum(slots["velocity_hat"], velocity)
    correction = ops.Sqrt()(1.0 - beta_2**now.step) / (1.0 - beta_1**now.step)
    alpha = now.learning_rate * correction
    return weight - momentum * alpha / (ops.Sqrt()(velocity) + epsilon)


class Adam(Optimizer):
    """Kingma and Ba, 2015; with `amsgrad` the largest second moment counts."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def slots(self) -> Sequence[Sequence[Slot]]:
        groups = [[Slot("momentum"), Slot("velocity")]]
        return [*groups, [Slot("velocity_hat")]] if self.amsgrad else groups

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        betas = (self.beta_1, self.beta_2)
        return adam_step(weight, gradient, slots, now, betas, self.epsilon)


class AdamW(Adam):
    """Adam with weights that decay by default (Loshchilov and Hutter, 2019)."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    weight_decay: float | None = 0.004
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_decay is None:
            raise CompileError("AdamW: weight_decay is None, but must be a number")


class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean square."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("momentum"), Slot("norm")]]

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        slots["momentum"] = momentum = moving(slots["momentum"], gradient, self.beta_1)
        slots["norm"] = norm = ops.maximum(slots["norm"] * self.beta_2, abs(gradient))
        correction = 1.0 - self.beta_1**now.step
        return weight - now.learning_rate * momentum / (correction * (norm + self.epsilon))


class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016)."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("momentum"), Slot("velocity")]]

    def shared(self) -> Sequence[Slot]:
        return [Slot("u_product", 1.0)]

    def advance(self, now: Moment) -> Slots:
        return {"u_product": now.shared["u_product"] * self._schedule(now.step)}

    def _schedule(self, step: Value) -> Value:
        return self.beta_1 * (1.0 - 0.5 * 0.96**step)

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        this, following = self._schedule(now.step), self._schedule(now.step + 1)
        product = now.shared["u_product"]
        slots["momentum"] = momentum = moving(slots["momentum"], gradient, self.beta_1)
        slots["velocity"] = velocity = moving(slots["velocity"], gradient * gradient, self.beta_2)
        ahead = following * momentum / (1.0 - product * following)
        ahead = ahead + (1.0 - this) * gradient / (1.0 - product)
        size = velocity / (1.0 - self.beta_2**now.step)
        return weight - ahead * now.learning_rate / (ops.Sqrt()(size) + self.epsilon)


class Lamb(Optimizer):
    """Adam whose steps are as long as the weight is large (You et al., 2020)."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("momentum"), Slot("velocity")]]

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        slots["momentum"] = momentum = moving(slots["momentum"], gradient, self.beta_1)
        slots["velocity"] = velocity = moving(slots["velocity"], gradient * gradient, self.beta_2)
        size = ops.Sqrt()(velocity / (1.0 - self.beta_2**now.step)) + self.epsilon
        move = momentum / (1.0 - self.beta_1**now.step) / size
        weight_norm, move_norm = norm_of(weight), norm_of(move)
        usable = (weight_norm > 0) & (move_norm > 0)
        ratio = ops.select(usable, weight_norm / move_norm, ops.constant(1.0, weight.dtype))
        return weight - ratio * now.learning_rate * move


class ScheduleFreeAdamW(Optimizer):
    """Adam that averages its weights instead of lowering its rate (Defazio et al., 2024)."""

    learning_rate: LearningRate = rate(0.0025)  # type: ignore[misc]
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_steps: int = 0

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("momentum", None), Slot("velocity")]]

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        rate = now.learning_rate
        if self.warmup_steps > 0:
            rate = rate * ops.minimum(now.step / self.warmup_steps, 1.0)
        old = slots["momentum"]
        slots["velocity"] = velocity = moving(slots["velocity"], gradient * gradient, self.beta_2)
        size = ops.Sqrt()(velocity / (1.0 - self.beta_2**now.step)) + self.epsilon
        slots["momentum"] = fast = old - rate * gradient / size
        share = 1.0 / now.step
        slow = (weight - (1 - self.beta_1) * old) / self.beta_1
        slow = (1.0 - share) * slow + share * fast
        return (1 - self.beta_1) * fast + self.beta_1 * slow
