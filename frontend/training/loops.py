"""The loops of `fit`, `evaluate` and `predict`: batches of an epoch, and callbacks around them."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.callbacks.base import CallbackList, Logs
from kerac.callbacks.progress import ProgbarLogger
from kerac.ir.errors import CompileError
from kerac.training.arrays import ArrayBatches, Rows
from kerac.training.batches import Batches, Epochs, taken, unpacked
from kerac.training.sources import array_batch, batches_of


@dataclass
class Position:
    """Where training goes on: in an epoch, after so many of its batches."""

    epoch: int
    batch: int = 0


class Fit:
    """The loop of `fit`. Callbacks may set `position` when training begins."""

    def __init__(
        self,
        model: Any,
        session: Any,
        hooks: CallbackList,
        data: Epochs,
        validation: Epochs | None,
        validation_freq: Any,
    ) -> None:
        self.model, self.session, self.hooks = model, session, hooks
        self.data, self.validation, self.frequency = data, validation, validation_freq
        self.position: Position | None = None

    def run(self, first: int, epochs: int) -> None:
        """Train from epoch number `first` on, or from the position that a callback set."""
        model, hooks = self.model, self.hooks
        model.stop_training = False
        hooks.call("on_train_begin")
        start = self.position or Position(first)
        if self.position is not None:
            self.data.go_on(start.epoch)
        logs: Logs = {}
        try:
            for epoch in range(start.epoch, epochs):
                logs = self._epoch(epoch, start.batch if epoch == start.epoch else 0)
                hooks.call("on_epoch_end", epoch, logs)
                if model.stop_training:
                    break
        finally:
            model.optimizer.finalize_variable_values(model.trainable_weights)
        hooks.call("on_train_end", logs)

    def _epoch(self, epoch: int, passed: int) -> Logs:
        """An epoch without the batches that were `passed` in an earlier run."""
        if not passed:
            self.session.reset_metrics()
        self.hooks.call("on_epoch_begin", epoch)
        step = Stepper(self.session, self.hooks, "train", f"epoch {epoch + 1}, ")
        pieces = itertools.islice(self.data.pieces(epoch), passed, None)
        pace = Pace(self.model.steps_per_execution, not step.is_heard)
        for number, group in groups(pieces, pace, passed):
            step(number, group)
            if self.model.stop_training:
                break
        logs = numbers(step.results)  # none where all batches were passed
        step.warn_if_broken(logs)
        if self.validation is not None and is_due(epoch, self.frequency):
            found = evaluated(self.session, self.validation, self.hooks)
            logs |= {f"val_{name}": value for name, value in found.items()}
        return dict(sorted(logs.items()))


class Pace:
    """How many steps are taken in one call.

    Where nobody listens in between, a call takes more steps than it is asked to, until it lasts
    `CALL` seconds or its batches have `MOST_BYTES`; what is computed stays the same.
    """

    CALL = 0.05
    MOST_BYTES = 1 << 20
    GROWTH = 8

    def __init__(self, least: int, is_free: bool) -> None:
        self.least, self.is_free = least, is_free
        self.steps = least

    def took(self, group: list[Any], seconds: float) -> None:
        """Learn from the time of a call."""
        if self.is_free and isinstance(group[0], Rows):
            wanted = int(self.CALL * len(group) / max(seconds, 1e-9))
            fitting = self.MOST_BYTES // max(group[0].bytes, 1)
            many = min(wanted, fitting, self.GROWTH * len(group)) // self.least
            self.steps = max(1, many) * self.least


def groups(
    pieces: Iterator[Any], pace: Pace, first: int = 0
) -> Iterator[tuple[int, list[Any]]]:
    """As many pieces as are taken in one call, with the number of the first of them."""
    number = first
    while group := list(itertools.islice(pieces, pace.steps)):
        begin = time.perf_counter()
        yield number, group
        pace.took(group, time.perf_counter() - begin)
        number += len(group)


class Stepper:
    """Takes steps on batches and tells the callbacks that listen."""

    def __init__(self, session: Any, hooks: CallbackList, phase: str, where: str = "") -> None:
        self.session, self.phase, self.where = session, phase, where
        self.results: dict[str, Any] = {}
        self._broken: tuple[str, str] | None = None
        self._begin = self._end = None
        if hooks.listens(f"on_{phase}_batch_begin"):
            self._begin = lambda number: hooks.call(f"on_{phase}_batch_begin", number)
        self.is_heard = any(
            listeners(hooks, f"on_{phase}_batch_{when}") for when in ("begin", "end")
        )
        """Whether anybody but a progress bar listens to batches."""
        if hooks.listens(f"on_{phase}_batch_end"):
            self._end = teller(hooks, phase)

    def __call__(self, number: int, pieces: list[Any]) -> None:
        """Take the batches from the `number`-th of an epoch on."""
        if self._begin is not None:
            self._begin(number)
        last = number + len(pieces) - 1
        try:
            self.results = self.session.run(pieces, self.phase == "train")
        except CompileError as error:
            raise error.with_details(f"in {self.where}{batches_text(number, last)}") from None
        if self._broken is None and not np.isfinite(self.results["loss"]):
            names = [n for n in self.results if n.endswith("loss") and n != "loss"]
            broken = [n for n in names if not np.isfinite(self.results[n])]
            self._broken = batches_text(number, last), f" by {', '.join(broken)}" if broken else ""
        if self._end is not None:
            self._end(last, lambda: numbers(self.results))

    def warn_if_broken(self, logs: Logs) -> None:
        """Say that the loss is no number any more, and since when."""
        if self._broken is not None:
            batches, outputs = self._broken
            warnings.warn(
                f"the loss is {logs['loss']} since {self.where}{batches}{outputs}: the "
                "learning rate may be too large, or the data may hold numbers that are not finite",
                stacklevel=2,
            )


def batches_text(first: int, last: int) -> str:
    """`batch 3`, or `batches 3 to 6`, counted from 1."""
    return f"batch {first + 1}" if first == last else f"batches {first + 1} to {last + 1}"


def listeners(hooks: CallbackList, hook: str) -> list[Any]:
    """The callbacks that hear a hook, but for progress bars."""
    others = (x for x in hooks.callbacks if not isinstance(x, ProgbarLogger))
    return [callback for callback in others if hooks.hears(callback, hook)]


def teller(hooks: CallbackList, phase: str) -> Callable[[int, Callable[[], Logs]], None]:
    """What happens after a batch; records are read only where somebody wants them."""
    bars = [x for x in hooks.callbacks if isinstance(x, ProgbarLogger)]
    hook = f"on_{phase}_batch_end"
    others = listeners(hooks, hook)

    def tell(number: int, read: Callable[[], Logs]) -> None:
        for bar in bars:
            bar.seen = number + 1
        if others or any(bar.wants(phase) for bar in bars):
            hooks.call(hook, number, read())

    return tell


def evaluated(session: Any, data: Epochs, hooks: CallbackList) -> Logs:
    """The records of one pass over the data."""
    session.reset_metrics()
    hooks.call("on_test_begin")
    step = Stepper(session, hooks, "test")
    pace = Pace(session.model.steps_per_execution, not step.is_heard)
    for number, group in groups(data.pieces(), pace):
        step(number, group)
    logs = numbers(step.results)
    hooks.call("on_test_end", logs)
    return logs


def predicted(predict: Callable[[Any], Any], data: Epochs, hooks: CallbackList) -> list[Any]:
    """The outputs of all batches, a list for each output."""
    hooks.call("on_predict_begin")
    outputs: list[list[Any]] = []
    tell = teller(hooks, "predict") if hooks.listens("on_predict_batch_end") else None
    for number, piece in enumerate(data.pieces()):
        hooks.call("on_predict_batch_begin", number)
        found = predict(taken(piece).x)
        outputs = outputs or [[] for _ in found]
        for known, new in zip(outputs, found, strict=True):
            known.append(new)
        if tell is not None:
            tell(number, lambda found=found: {"outputs": found})  # type: ignore[misc]
    hooks.call("on_predict_end")
    return [np.concatenate(each) if len(each) > 1 else each[0] for each in outputs]


def validation_batches(data: Any, batch_size: int | None) -> Batches:
    """The batches of `validation_data`: (x, y), (x, y, weights) or whatever else gives batches."""
    if isinstance(data, list | tuple):
        return ArrayBatches(array_batch(*unpacked(data)), batch_size)
    return batches_of(data, batch_size=batch_size)


def is_due(epoch: int, frequency: Any) -> bool:
    """Whether an epoch is one after which the model is validated."""
    if isinstance(frequency, list | tuple | set):
        return epoch + 1 in frequency
    if isinstance(frequency, bool) or not isinstance(frequency, int) or frequency < 1:
        raise CompileError(
            f"validation_freq is {frequency!r:.40}, but a positive integer or a list is expected"
        )
    return (epoch + 1) % frequency == 0


def numbers(results: Mapping[str, Any]) -> Logs:
    """Records as Python's numbers, by name, as Keras orders them; some metrics give arrays."""
    return {
        name: results[name].copy() if np.ndim(results[name]) else float(results[name])
        for name in sorted(results)
    }
