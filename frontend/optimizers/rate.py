"""The learning rate of an optimizer: a variable that callbacks set, a schedule or a function."""

from __future__ import annotations

from inspect import getattr_static
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from kerac.convert import Conversion, NotConvertibleError
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.optimizers.schedules import LearningRateSchedule, deserialize
from kerac.saving.config import SerializedObject
from kerac.variable import Variable

if TYPE_CHECKING:
    from kerac.optimizers.base import Optimizer


class Rate:
    """The attribute `learning_rate`: assigning a number changes the variable that holds it."""

    def __init__(self, default: float) -> None:
        self.default = default

    def __get__(self, optimizer: Optimizer | None, owner: type) -> Any:
        if optimizer is None:
            return self.default
        held = optimizer._held_rate
        if isinstance(held, LearningRateSchedule):
            return held(optimizer.raw_iterations)
        return held if isinstance(held, Variable) else held()

    def __set__(self, optimizer: Optimizer, value: Any) -> None:
        held = vars(optimizer).get("_held_rate")
        if isinstance(value, LearningRateSchedule) or callable(value):
            optimizer._held_rate = value
        elif isinstance(held, Variable):
            held.assign(value)
        elif isinstance(held, LearningRateSchedule):
            raise CompileError(
                f"{type(optimizer).__name__}: its learning rate follows a schedule, "
                "but a number was assigned to it",
                remedy="Make the optimizer with a number as learning_rate to change it later.",
            )
        else:
            optimizer._held_rate = float(value)


def rate(default: float) -> Any:
    """The declaration of a field `learning_rate` with its default."""
    return Rate(default)


def declare(optimizer: type[Optimizer]) -> None:
    """Make a field of the rate that a class declares as a number, or not at all."""
    declared = getattr_static(optimizer, "learning_rate", 0.001)
    if isinstance(declared, int | float):
        annotations = vars(optimizer).get("__annotations__", {})
        optimizer.__annotations__ = {**annotations, "learning_rate": LearningRate}
        optimizer.learning_rate = rate(float(declared))


def read(value: Any) -> Any:
    """A number, a schedule or a function from what a user or a file gives."""
    if isinstance(value, SerializedObject | dict):
        return deserialize(value)
    if isinstance(value, LearningRateSchedule) or callable(value):
        return value
    if isinstance(value, Variable | np.ndarray | np.generic) and np.ndim(value) == 0:
        return float(np.asarray(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotConvertibleError
    return float(value)


def write(value: Any) -> Any:
    """A learning rate as Keras writes it."""
    if isinstance(value, LearningRateSchedule):
        return value.serialize()
    return float(np.asarray(value() if callable(value) else value))


LearningRate = Annotated[Any, Conversion(read, write, "a number, a schedule or a function")]
"""The kind of the field `learning_rate`."""


def as_scalar(x: Any) -> Value:
    """A learning rate that a function returned, as f32."""
    return ops.cast(x, "f32") if isinstance(x, Value) else ops.constant(np.asarray(x), "f32")
