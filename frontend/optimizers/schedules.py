"""Learning rates that follow the number of steps, as Keras has them.

A schedule maps the number of the step, an i32 value of a graph, to an f32 value; on a number or an
array it gives an array. Subclasses of `LearningRateSchedule` state theirs in `__call__`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any, ClassVar

from kerac.configured import Configured
from kerac.eager import evaluate
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, InternalError, UnsupportedError
from kerac.lookup import find, table_of


class LearningRateSchedule:
    """Base: a function of the number of the step."""

    def __call__(self, step: Any) -> Any:
        raise UnsupportedError(
            f"{type(self).__name__}: does not say what it computes; it must define __call__"
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        raise UnsupportedError(f"{type(self).__name__}: cannot be written; it has no get_config")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """Make a schedule from what `get_config` returned."""
        return cls(**config)

    def serialize(self) -> dict[str, Any]:
        """The schedule as Keras writes it inside another config."""
        return {
            "module": type(self).__module__,
            "class_name": type(self).__name__,
            "config": self.get_config(),
            "registered_name": type(self).__name__,
        }


class _Schedule(Configured, LearningRateSchedule):
    """Base of those that Keras has."""

    module: ClassVar[str] = "keras.optimizers.schedules"

    def __post_init__(self) -> None:
        for name in ("decay_steps", "first_decay_steps"):
            if getattr(self, name, 1) <= 0:
                raise CompileError(
                    f"{type(self).__name__}: {name} is {getattr(self, name)}, but must be positive"
                )

    def __call__(self, step: Any) -> Any:
        if isinstance(step, Value):
            return self.rate(ops.cast(step, "f32"))
        return evaluate(self.__call__, [step])

    def rate(self, step: Value) -> Value:
        """The learning rate; `step` is f32."""
        raise InternalError(f"{type(self).__name__} has no rate")


class ExponentialDecay(_Schedule):
    """initial_learning_rate * decay_rate ** (step / decay_steps)."""

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def rate(self, step: Value) -> Value:
        return self.initial_learning_rate * self.decay_rate ** _periods(self, step)


class InverseTimeDecay(_Schedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps)."""

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def rate(self, step: Value) -> Value:
        return self.initial_learning_rate / (1.0 + self.decay_rate * _periods(self, step))


def _periods(schedule: ExponentialDecay | InverseTimeDecay, step: Value) -> Value:
    periods = step / schedule.decay_steps
    return ops.Floor()(periods) if schedule.staircase else periods


class PiecewiseConstantDecay(_Schedule):
    """values[i] for steps above boundaries[i - 1] and up to boundaries[i]."""

    boundaries: list[float]
    values: list[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1:
            raise CompileError(
                f"PiecewiseConstantDecay: has {len(self.boundaries)} boundaries, which part "
                f"{len(self.boundaries) + 1} values, but got {len(self.values)} values"
            )

    def rate(self, step: Value) -> Value:
        result = ops.constant(self.values[-1], "f32")
        for boundary, value in reversed(list(zip(self.boundaries, self.values, strict=False))):
            below = step <= boundary
            result = ops.select(below, ops.constant(value, "f32"), result)
        return result


class PolynomialDecay(_Schedule):
    """From the initial rate to the last one in `decay_steps` steps; `cycle` stretches them."""

    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def rate(self, step: Value) -> Value:
        if self.cycle:
            rounds = -ops.Floor()(-(step / self.decay_steps))
            share = step / (self.decay_steps * ops.maximum(rounds, 1.0))
        else:
            share = ops.minimum(step, self.decay_steps) / self.decay_steps
        range_ = self.initial_learning_rate - self.end_learning_rate
        return range_ * (1.0 - share) ** self.power + self.end_learning_rate


class CosineDecay(_Schedule):
    """Half a cosine from the initial rate to `alpha` times it, after a linear rise if asked for."""

    initial_learning_rate: float
    decay_steps: float
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: int = 0

    def rate(self, step: Value) -> Value:
        if self.warmup_target is None:
            return self._decayed(ops.minimum(step, self.decay_steps), self.initial_learning_rate)
        step = ops.minimum(step, self.decay_steps + self.warmup_steps)
        decayed = self._decayed(step - self.warmup_steps, self.warmup_target)
        if not self.warmup_steps:
            return decayed
        rise = self.warmup_target - self.initial_learning_rate
        risen = rise * (step / self.warmup_steps) + self.initial_learning_rate
        return ops.select(step < self.warmup_steps, risen, decayed)

    def _decayed(self, step: Value, start: float) -> Value:
        cosine = 0.5 * (1.0 + ops.Cos()(step / self.decay_steps * pi))
        return start * ((1 - self.alpha) * cosine + self.alpha)


class CosineDecayRestarts(_Schedule):
    """Half a cosine again and again, each `t_mul` times as long and `m_mul` times as high."""

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def rate(self, step: Value) -> Value:
        share = step / self.first_decay_steps
        if self.t_mul == 1:
            restarts = ops.Floor()(share)
            share = share - restarts
        else:
            logarithm = ops.Log()(ops.constant(self.t_mul, "f32"))
            restarts = ops.Floor()(ops.Log()(1.0 - share * (1.0 - self.t_mul)) / logarithm)
            length = self.t_mul**restarts
            share = (share - (1.0 - length) / (1.0 - self.t_mul)) / length
        cosine = 0.5 * self.m_mul**restarts * (1.0 + ops.Cos()(share * pi))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)


SCHEDULES = table_of(
    *(ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay),
    *(CosineDecay, CosineDecayRestarts),
)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """A schedule as Keras writes it."""
    return learning_rate_schedule.serialize()


def deserialize(
    config: Any, custom_objects: Mapping[str, type[Any]] | None = None
) -> LearningRateSchedule:
    """The schedule that a config describes."""
    found: LearningRateSchedule = find(
        config,
        {**SCHEDULES, **(custom_objects or {})},
        LearningRateSchedule,
        "learning rate schedule",
    )
    return found
