"""Moving averages of weights in the place of weights while a model is evaluated."""

from __future__ import annotations

from typing import Any

from kerac.callbacks.base import Callback, Logs
from kerac.ir.errors import CompileError


class SwapEMAWeights(Callback):
    """Evaluates a model with the moving averages that an optimizer with `use_ema=True` keeps.

    With `swap_on_epoch` they stand in the model between epochs, too, for the callbacks that follow,
    such as ModelCheckpoint.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._are_in_model = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._put(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._put(True)
            # `fit` ends by making averages the weights
            if epoch == self.params["epochs"] - 1:
                for weight, average in self._pairs():
                    average.assign(weight.numpy())

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._put(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._put(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._put(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._put(False)

    def _put(self, averages: bool) -> None:
        """Let the model hold averages, or its weights."""
        if averages == self._are_in_model:
            return
        for weight, average in self._pairs():
            held = weight.numpy()
            weight.assign(average.numpy())
            average.assign(held)
        self._are_in_model = averages

    def _pairs(self) -> list[tuple[Any, Any]]:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", None) or optimizer
        if not getattr(optimizer, "use_ema", False):
            raise CompileError(
                "SwapEMAWeights: needs the averages of weights, but "
                f"{type(optimizer).__name__} has use_ema=False",
                remedy=f"Make it as {type(optimizer).__name__}(use_ema=True).",
            )
        optimizer.build(self.model.trainable_weights)
        found: list[tuple[Any, Any]] = optimizer.averages()
        return found
