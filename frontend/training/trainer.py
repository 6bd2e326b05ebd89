"""`compile`, `fit` and `evaluate`: loops over batches, each of which runs one native step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kerac.callbacks.base import CallbackList, Logs
from kerac.callbacks.history import History
from kerac.callbacks.progress import ProgbarLogger
from kerac.ir.errors import CompileError
from kerac.training.arrays import ArrayBatches, split_off, weights_of_classes
from kerac.training.batches import Batch, Batches, Epochs, unpacked
from kerac.training.measures import checked_metrics
from kerac.training.session import Session
from kerac.training.sources import array_batch, batches_of


class Trainer:
    """What models have for training."""

    name: Any
    optimizer: Any = None
    loss: Any = None
    compiled = False
    stop_training = False
    steps_per_execution = 1
    history: Any = None
    _session: Session | None = None
    trainable_weights: Any
    _compile_arguments: Mapping[str, Any]

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained; the steps are compiled when the first batch comes.

        `run_eagerly`, `jit_compile` and `auto_scale_loss` change nothing.
        """
        from kerac import optimizers

        metrics = checked_metrics(metrics, "metrics")
        weighted_metrics = checked_metrics(weighted_metrics, "weighted_metrics")
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss
        self.steps_per_execution = steps_per_execution
        self._session = Session(
            self, self.optimizer, (loss, loss_weights), (metrics, weighted_metrics)
        )
        self._compile_arguments = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        self.compiled, self.stop_training = True, False

    def get_compile_config(self) -> dict[str, Any] | None:
        """What `compile` was given, as Keras writes it; None for a model that is not compiled."""
        from kerac.training.compile_config import write_compile_config

        if not self.compiled:
            return None
        return write_compile_config(self.optimizer, self._compile_arguments)

    def compile_from_config(self, config: Any) -> None:
        """`compile` with what `get_compile_config` or Keras wrote."""
        from kerac.training.compile_config import read_compile_config

        self.compile(**read_compile_config(config))

    def recompile(self, optimizer: Any = None, loss: Any = None, metrics: Any = None) -> None:
        """`compile` with what is given, and otherwise with what the model was compiled with."""
        if optimizer is None and loss is None and metrics is None:
            return
        arguments = dict(self._compile_arguments) if self.compiled else {}
        arguments["optimizer"] = optimizer or self.optimizer or "rmsprop"
        given = {"loss": loss, "metrics": metrics}
        arguments |= {name: value for name, value in given.items() if value is not None}
        self.compile(**arguments)

    def _compiled_session(self, doing: str) -> Session:
        if self._session is None:
            raise CompileError(
                f"{self.name}: {doing} is called, but the model is not compiled",
                remedy="Call model.compile(optimizer, loss) first.",
            )
        return self._session

    def reset_metrics(self) -> None:
        """Forget the batches that records are means of."""
        self._compiled_session("reset_metrics").reset_metrics()

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train for `epochs` epochs; returns what was recorded of each."""
        session = self._compiled_session("fit")
        if validation_split and validation_data is None:
            first, last = split_off(array_batch(x, y, sample_weight), validation_split)
            (x, y, sample_weight), validation_data = first, tuple(last)
        batches = batches_of(x, y, sample_weight, batch_size, shuffle, class_weight)
        validation = None
        if validation_data is not None:
            size = validation_batch_size or batch_size
            validation = Epochs(validation_batches(validation_data, size), validation_steps)
        data = Epochs(batches, steps_per_epoch)
        hooks = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=data.count,
        )
        self.history = hooks.find(History)
        _Fit(self, session, hooks, data, validation, validation_freq).run(initial_epoch, epochs)
        found: History = self.history
        return found

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data that nothing is learned from.

        A number where there is the loss alone, otherwise a list or, with `return_dict`, a
        dictionary by name.
        """
        session = self._compiled_session("evaluate")
        data = Epochs(batches_of(x, y, sample_weight, batch_size), steps)
        hooks = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=data.count,
        )
        logs = evaluated(session, data, hooks)
        return logs if return_dict else session.as_list(logs)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one step; returns loss and metrics of the batch, as `evaluate` does."""
        session = self._compiled_session("train_on_batch")
        batch = array_batch(x, y, sample_weight)
        if class_weight is not None:
            batch = batch._replace(sample_weight=weights_of_classes(batch.y, class_weight))
        return self._on_batch(session, batch, True, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch that nothing is learned from, as `evaluate` gives them."""
        session = self._compiled_session("test_on_batch")
        return self._on_batch(session, array_batch(x, y, sample_weight), False, return_dict)

    def _on_batch(self, session: Session, batch: Batch, training: bool, as_dict: bool) -> Any:
        session.reset_metrics()
        logs = numbers(session.run(batch, training))
        return logs if as_dict else session.as_list(logs)


class _Fit:
    """The loop of `fit`."""

    def __init__(
        self,
        model: Any,
        session: Session,
        hooks: CallbackList,
        data: Epochs,
        validation: Epochs | None,
        validation_freq: Any,
    ) -> None:
        self.model, self.session, self.hooks = model, session, hooks
        self.data, self.validation, self.frequency = data, validation, validation_freq

    def run(self, first: int, epochs: int) -> None:
        """Train from epoch number `first` on."""
        model, hooks = self.model, self.hooks
        model.stop_training = False
        hooks.call("on_train_begin")
        logs: Logs = {}
        try:
            for epoch in range(first, epochs):
                logs = self._epoch(epoch)
                hooks.call("on_epoch_end", epoch, logs)
                if model.stop_training:
                    break
        finally:
            model.optimizer.finalize_variable_values(model.trainable_weights)
        hooks.call("on_train_end", logs)

    def _epoch(self, epoch: int) -> Logs:
        self.session.reset_metrics()
        self.hooks.call("on_epoch_begin", epoch)
        step = Stepper(self.session, self.hooks, training=True)
        for number, batch in enumerate(self.data.epoch(epoch)):
            step(number, batch)
            if self.model.stop_training:
                break
        logs = numbers(step.results)
        warn_if_broken(logs, epoch)
        if self.validation is not None and is_due(epoch, self.frequency):
            found = evaluated(self.session, self.validation, self.hooks)
            logs |= {f"val_{name}": value for name, value in found.items()}
        return dict(sorted(logs.items()))


class Stepper:
    """Runs batches and tells the callbacks that listen."""

    def __init__(self, session: Session, hooks: CallbackList, training: bool) -> None:
        self.session, self.training = session, training
        self.results: dict[str, Any] = {}
        phase = "train" if training else "test"
        self._begin = self._end = None
        if hooks.listens(f"on_{phase}_batch_begin"):
            self._begin = lambda number: hooks.call(f"on_{phase}_batch_begin", number)
        if hooks.listens(f"on_{phase}_batch_end"):
            self._end = self._teller(hooks, phase)

    def __call__(self, number: int, batch: Batch) -> None:
        """Take the `number`-th batch of an epoch."""
        if self._begin is not None:
            self._begin(number)
        try:
            self.results = self.session.run(batch, self.training)
        except CompileError as error:
            raise error.with_details(f"in batch {number}") from None
        if self._end is not None:
            self._end(number)

    def _teller(self, hooks: CallbackList, phase: str) -> Callable[[int], None]:
        """What happens after a batch; numbers are read only where somebody wants them."""
        bars = [x for x in hooks.callbacks if isinstance(x, ProgbarLogger)]
        hook = f"on_{phase}_batch_end"
        others = [x for x in hooks.callbacks if x not in bars and hooks.hears(x, hook)]

        def tell(number: int) -> None:
            for bar in bars:
                bar.seen = number + 1
            if others or any(bar.wants(phase) for bar in bars):
                hooks.call(hook, number, numbers(self.results))

        return tell


def evaluated(session: Session, data: Epochs, hooks: CallbackList) -> Logs:
    """The records of one pass over the data."""
    session.reset_metrics()
    hooks.call("on_test_begin")
    step = Stepper(session, hooks, training=False)
    for number, batch in enumerate(data.epoch()):
        step(number, batch)
    logs = numbers(step.results)
    hooks.call("on_test_end", logs)
    return logs


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


def warn_if_broken(logs: Logs, epoch: int) -> None:
    """Say that the loss is no number any more."""
    if not np.isfinite(logs.get("loss", 0.0)):
        warnings.warn(
            f"the loss of epoch {epoch + 1} is {logs['loss']}: the learning rate may be too "
            "large, or the data may hold numbers that are not finite",
            stacklevel=2,
        )
