"""Keras's optimizers: how weights follow from gradients, stated as graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerac.configured import Configured
from kerac.ir.errors import CompileError
from kerac.lookup import find, table_of
from kerac.optimizers import schedules
from kerac.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from kerac.optimizers.adaptive import Adadelta, Adafactor, Adagrad, Ftrl, RMSprop
from kerac.optimizers.base import Optimizer
from kerac.optimizers.loss_scale import LossScaleOptimizer
from kerac.optimizers.muon import Muon
from kerac.optimizers.sgd import SGD, Lion
from kerac.optimizers.slots import Moment, Slot

CLASSES: tuple[type[Configured], ...] = (
    *(SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Lamb, Ftrl, Lion),
    *(Adafactor, Muon, ScheduleFreeAdamW, LossScaleOptimizer),
)
OPTIMIZERS = table_of(*CLASSES, **{cls.__name__.lower(): cls for cls in CLASSES})


def get(identifier: Any) -> Any:
    """The optimizer that a name, a config, a class or an instance stands for."""
    return deserialize(identifier)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer as Keras writes it."""
    return optimizer.serialize()


def deserialize(config: Any, custom_objects: Mapping[str, type[Any]] | None = None) -> Any:
    """The optimizer that a config describes."""
    if isinstance(config, bool):
        raise CompileError(f"{config!r} is no optimizer, nor the name of one")
    return find(config, {**OPTIMIZERS, **(custom_objects or {})}, Optimizer, "optimizer")


__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "Moment",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "Slot",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]
