"""Changing the learning rate between epochs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

from kerac.callbacks.base import Callback, Logs
from kerac.callbacks.monitor import Monitor
from kerac.callbacks.progress import write
from kerac.ir.errors import CompileError


class LearningRateScheduler(Callback):
    """Asks `schedule(epoch, rate)`, or `schedule(epoch)`, for the rate before each epoch."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        before = rate_of(self.model)
        takes_rate = len(inspect.signature(self.schedule).parameters) > 1
        rate: Any = self.schedule(epoch, before) if takes_rate else self.schedule(epoch)
        is_number = isinstance(rate, Real) and not isinstance(rate, bool)
        if not is_number or not math.isfinite(rate):
            raise CompileError(
                f"LearningRateScheduler: the schedule gives {rate!r:.40} for epoch {epoch}, "
                "but a number is expected"
            )
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            write(
                f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.\n"
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = rate_of(self.model)


class ReduceLROnPlateau(Monitor):
    """Multiplies the rate by `factor` when a record has not become better for `patience` epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **old: Any,
    ) -> None:
        super().__init__(monitor, mode, old.pop("epsilon", min_delta))
        if old:
            raise TypeError(f"ReduceLROnPlateau: has no argument {min(old)!r}")
        if factor >= 1:
            raise CompileError(f"ReduceLROnPlateau: factor is {factor}, but must be below 1")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.cooldown_counter = self.wait = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.cooldown_counter = self.wait = 0
        self.reset_best()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = rate_of(self.model)
        current = self.value_in(logs)
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(current, self.best):
            self.best, self.wait = current, 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        before = rate_of(self.model)
        if before <= np.float32(self.min_lr):
            return
        rate = max(before * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = rate
        if self.verbose > 0:
            write(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.\n")
        self.cooldown_counter, self.wait = self.cooldown, 0


def rate_of(model: Any) -> float:
    """The learning rate of a model's optimizer."""
    return float(np.asarray(model.optimizer.learning_rate))
