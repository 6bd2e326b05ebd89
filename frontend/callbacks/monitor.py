"""Watching one record: whether it became better."""

from __future__ import annotations

import math
import warnings
from typing import Any

from kerac.callbacks.base import Callback, Logs
from kerac.ir.errors import CompileError

# records of which a larger value is better
RISING = ("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "cosine_similarity",
          "top_k", "specificity", "sensitivity", "true_")  # fmt: skip


class Monitor(Callback):
    """Base of callbacks that compare a record with the best so far."""

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise CompileError(
                f"{type(self).__name__}: mode is {mode!r}, but must be 'auto', 'min' or 'max'"
            )
        self.monitor, self.mode = monitor, mode
        self.min_delta = abs(min_delta)
        self.best = math.inf

    @property
    def rises(self) -> bool:
        """Whether a larger value is better."""
        name = self.monitor.lower()
        return self.mode == "max" or (self.mode == "auto" and any(x in name for x in RISING))

    def reset_best(self) -> None:
        """Forget the best value."""
        self.best = -math.inf if self.rises else math.inf

    def is_better(self, value: float, than: float) -> bool:
        """Whether a value is better by more than `min_delta`."""
        if self.rises:
            return value - self.min_delta > than
        return value + self.min_delta < than

    def value_in(self, logs: Logs | None) -> Any:
        """The record in the logs of an epoch; warns where it is not there."""
        known = logs or {}
        if self.monitor not in known:
            other = self.monitor.replace("accuracy", "acc")
            for name in (other, other.replace("acc", "accuracy")):
                if name in known:
                    return known[name]
            warnings.warn(
                f"{type(self).__name__}: there is no record {self.monitor!r}; "
                f"there are {', '.join(known)}",
                stacklevel=3,
            )
        return known.get(self.monitor)
