"""Callbacks: what they can do, and how a loop calls all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerac.structure import leaves

Logs = dict[str, Any]

PHASES = ("train", "test", "predict")
# `on_batch_begin` and `on_batch_end` are what Keras once called those of training.
HOOKS = (
    *("on_epoch_begin", "on_epoch_end"),
    *(f"on_{phase}_{when}" for phase in PHASES for when in ("begin", "end")),
    *(f"on_{phase}_batch_{when}" for phase in PHASES for when in ("begin", "end")),
)


class Callback:
    """Base of all callbacks; a subclass overrides what it wants to know of.

    `model` is the model and `params` the loop's `epochs`, `steps` and `verbose`. A callback stops
    training by `self.model.stop_training = True`.
    """

    def __init__(self) -> None:
        self.model: Any = None
        self.params: Logs = {}
        self.validation_data = None

    def set_params(self, params: Logs) -> None:
        """Take the parameters of the loop."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model."""
        self.model = model

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of training, as Keras once called it."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of training, as Keras once called it."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch of training."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch of training and its validation; `logs` may be added to."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of training."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of training."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of evaluation."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of prediction; `logs` has its "outputs"."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before training."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After training."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before evaluation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After evaluation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After prediction."""

    def listens_to(self, hook: str) -> bool:
        """Whether calling a hook does anything."""
        own = getattr(type(self), hook) is not getattr(Callback, hook)
        if own or not hook.startswith("on_train_batch"):
            return own
        return self.listens_to(hook.replace("train_", ""))


class LambdaCallback(Callback):
    """Functions as callbacks, by the names of the hooks."""

    def __init__(self, **functions: Callable[..., Any] | None) -> None:
        super().__init__()
        unknown = functions.keys() - {*HOOKS, "on_batch_begin", "on_batch_end"}
        if unknown:
            raise TypeError(f"LambdaCallback: there is no hook {min(unknown)!r}")
        self._functions = {name: f for name, f in functions.items() if f is not None}
        for name, function in self._functions.items():
            setattr(self, name, function)

    def listens_to(self, hook: str) -> bool:
        return hook in self._functions or hook.replace("train_", "") in self._functions


class CallbackList:
    """All callbacks of a loop. Hooks of batches cost nothing where nobody listens."""

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        from kerac.callbacks.history import History
        from kerac.callbacks.progress import ProgbarLogger

        self.callbacks: list[Callback] = [x for x in leaves(callbacks) if x is not None]
        for wanted, kind in ((add_history, History), (add_progbar, ProgbarLogger)):
            if wanted and not any(isinstance(x, kind) for x in self.callbacks):
                self.callbacks.append(kind())
        self.params: Logs = params
        self._listeners: dict[str, list[Callable[..., Any]]] = {}
        self._listen()
        self.set_params(params)
        if model is not None:
            self.set_model(model)

    def _listen(self) -> None:
        for hook in HOOKS:
            listening = [x for x in self.callbacks if listens(x, hook)]
            self._listeners[hook] = [getattr(x, hook) for x in listening]

    def append(self, callback: Any) -> None:
        """Add a callback."""
        self.callbacks.append(callback)
        self._listen()

    def set_params(self, params: Logs) -> None:
        """Give all of them the parameters of the loop."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Give all of them the model."""
        for callback in self.callbacks:
            callback.set_model(model)

    def find(self, kind: type[Any]) -> Any:
        """The first callback of a class."""
        return next((x for x in self.callbacks if isinstance(x, kind)), None)

    def listens(self, hook: str) -> bool:
        """Whether a callback listens to a hook."""
        return bool(self._listeners[hook])

    @staticmethod
    def hears(callback: Any, hook: str) -> bool:
        """Whether one callback does anything at a hook."""
        return listens(callback, hook)

    def call(self, hook: str, *args: Any) -> None:
        """Call a hook of all that listen to it, with empty logs where there are none."""
        counts = hook.startswith("on_epoch") or "_batch_" in hook
        if len(args) == int(counts) or args[-1] is None:
            args = (*args[: int(counts)], {})
        for listener in self._listeners[hook]:
            listener(*args)

    def __getattr__(self, name: str) -> Any:
        if name in HOOKS:
            return lambda *args: self.call(name, *args)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def listens(callback: Any, hook: str) -> bool:
    """Whether a callback, which may be one of Keras, does anything at a hook."""
    if isinstance(callback, Callback):
        return callback.listens_to(hook)
    return hasattr(callback, hook)
