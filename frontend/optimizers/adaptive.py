"""Learning rates of each element by the gradients that it has seen."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.configured import fields
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.optimizers.base import Optimizer
from kerac.optimizers.rate import LearningRate, rate
from kerac.optimizers.slots import Moment, Slot, Slots
from kerac.variable import Variable


class RMSprop(Optimizer):
    """The gradient by the root of its mean square; `centered` takes the variance instead."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def slots(self) -> Sequence[Sequence[Slot]]:
        names = ["velocity"]
        names += ["momentum"] if self.momentum > 0 else []
        names += ["average_gradient"] if self.centered else []
        return [[Slot(name)] for name in names]

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        square = gradient * gradient
        slots["velocity"] = size = self.rho * slots["velocity"] + (1 - self.rho) * square
        if self.centered:
            mean = self.rho * slots["average_gradient"] + (1 - self.rho) * gradient
            slots["average_gradient"] = mean
            size = size - mean * mean
        move = now.learning_rate * gradient / ops.Sqrt()(size + self.epsilon)
        if self.momentum > 0:
            slots["momentum"] = move = self.momentum * slots["momentum"] + move
        return weight - move


class Adagrad(Optimizer):
    """The gradient by the root of the sum of all its squares (Duchi et al., 2011)."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("accumulator", self.initial_accumulator_value)]]

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        slots["accumulator"] = total = slots["accumulator"] + gradient * gradient
        return weight - now.learning_rate * gradient / ops.Sqrt()(total + self.epsilon)


class Adadelta(Optimizer):
    """Steps in the units of the weights (Zeiler, 2012)."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    rho: float = 0.95
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("accumulated_grad"), Slot("accumulated_delta_var")]]

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        moves = slots["accumulated_delta_var"]
        square = self.rho * slots["accumulated_grad"] + (1 - self.rho) * (gradient * gradient)
        slots["accumulated_grad"] = square
        move = -(self._root(moves) * gradient / self._root(square))
        slots["accumulated_delta_var"] = self.rho * moves + (1 - self.rho) * (move * move)
        return weight + now.learning_rate * move

    def _root(self, x: Value) -> Value:
        return ops.Sqrt()(x + self.epsilon)


class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al., 2013)."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learning_rate_power > 0:
            raise CompileError(
                f"Ftrl: learning_rate_power is {self.learning_rate_power}, but must not be positive"
            )
        regularizers = [n for n in fields(Ftrl) if n.endswith("_strength")]
        for name in ("initial_accumulator_value", *regularizers):
            if getattr(self, name) < 0:
                raise CompileError(
                    f"Ftrl: {name} is {getattr(self, name)}, but must not be negative"
                )

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("accumulator", self.initial_accumulator_value), Slot("linear")]]

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        rate, old = now.learning_rate, slots["accumulator"]
        new = old + gradient * gradient
        power = -self.learning_rate_power
        shrunk = gradient + 2 * self.l2_shrinkage_regularization_strength * weight
        linear = slots["linear"] + (shrunk - (new**power - old**power) / rate * weight)
        strength = self.l2_regularization_strength + self.beta / (2.0 * rate)
        quadratic = new**power / rate + 2 * strength
        slots["accumulator"], slots["linear"] = new, linear
        limit = self.l1_regularization_strength
        return (ops.minimum(ops.maximum(linear, -limit), limit) - linear) / quadratic


class Adafactor(Optimizer):
    """Second moments of matrices by their rows and columns (Shazeer and Stern, 2018)."""

    learning_rate: LearningRate = rate(0.001)  # type: ignore[misc]
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True

    def slots(self) -> Sequence[Sequence[Slot]]:
        return [[Slot("rows"), Slot("columns"), Slot("velocity")]]

    def slot_variable(self, slot: Slot, weight: Variable) -> Variable | None:
        if slot.name not in ("rows", "columns"):
            return super().slot_variable(slot, weight)
        if weight.ndim < 2:
            # Keras keeps a place that it never uses
            return self._variable(weight.name, (), "int32", 0)
        shape = weight.shape[:-1]
        if slot.name == "columns":
            shape = (*weight.shape[:-2], weight.shape[-1])
        return self._variable(weight.name, shape, weight.dtype, 0)

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        root = 1.0 / ops.Sqrt()(now.step)
        rate = ops.minimum(now.learning_rate, root)
        alpha = ops.maximum(_root_mean_square(weight), self.epsilon_2) * rate
        square = gradient * gradient + self.epsilon_1
        beta = 1.0 - now.step**self.beta_2_decay
        if weight.ndim >= 2:
            last = weight.ndim - 1
            rows = beta * slots["rows"] + (1.0 - beta) * ops.reduce_mean(square, (last,))
            columns = beta * slots["columns"] + (1.0 - beta) * ops.reduce_mean(square, (last - 1,))
            slots["rows"], slots["columns"] = rows, columns
            share = rows / ops.reduce_mean(rows, (last - 1,), keepdims=True)
            *batch, height = rows.shape
            tall = ops.reshape(share, (*batch, height, 1))
            velocity = tall * ops.reshape(columns, (*batch, 1, weight.shape[-1]))
        else:
            velocity = beta * slots["velocity"] + (1.0 - beta) * square
        slots["velocity"] = velocity
        move = gradient / ops.Sqrt()(velocity)
        return weight - alpha * (
            move / ops.maximum(_root_mean_square(move) / self.clip_threshold, 1.0)
        )


def _root_mean_square(x: Value) -> Value:
    return ops.Sqrt()(ops.reduce_mean(x * x, tuple(range(x.ndim))))
