"""Models in files while they are trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kerac.callbacks.base import Logs
from kerac.callbacks.monitor import Monitor
from kerac.callbacks.progress import write
from kerac.ir.errors import CompileError


class ModelCheckpoint(Monitor):
    """Saves the model, or its weights, after each epoch or every `save_freq` batches.

    `filepath` may hold `{epoch}`, `{batch}` and the names of records, with formats. A file is
    replaced when the new one is complete, so that there is a whole one at any time.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = save_freq
        ending = ".weights.h5" if save_weights_only else ".keras"
        if not self.filepath.endswith(ending):
            raise CompileError(
                f"ModelCheckpoint: filepath is {self.filepath!r}, but must end in {ending}"
            )
        is_count = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        if save_freq != "epoch" and not is_count:
            raise CompileError(
                f"ModelCheckpoint: save_freq is {save_freq!r:.40}, but must be 'epoch' or a "
                "positive number of batches"
            )
        # the best value lasts from one call of `fit` to the next
        self.reset_best()
        if initial_value_threshold is not None:
            self.best = initial_value_threshold
        self._epoch = self._batches = 0

    def listens_to(self, hook: str) -> bool:
        if hook == "on_train_batch_end":
            return self.save_freq != "epoch"
        return super().listens_to(hook)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0:
            self._save({"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(logs or {})

    def _save(self, logs: Logs) -> None:
        path = self._path(logs)
        if self.save_best_only and not self._is_best(logs):
            return
        if self.verbose > 0:
            write(f"\nEpoch {self._epoch + 1}: saving model to {path}\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)

    def _path(self, logs: Logs) -> Path:
        known: dict[str, Any] = {"epoch": self._epoch + 1, **logs}
        try:
            return Path(self.filepath.format(**known))
        except KeyError as error:
            raise CompileError(
                f"ModelCheckpoint: filepath {self.filepath!r} names {error.args[0]!r}, "
                f"but there are {', '.join(sorted(known))}"
            ) from None

    def _is_best(self, logs: Logs) -> bool:
        """Whether the record is the best so far; without one the model is saved, as in Keras."""
        current = self.value_in(logs)
        if current is None:
            return True
        is_best = self.is_better(current, self.best)
        if is_best:
            self.best = current
        elif self.verbose > 0:
            best = f"{self.monitor} did not improve from {self.best:.5f}"
            write(f"\nEpoch {self._epoch + 1}: {best}\n")
        return is_best
