"""What scripts for Keras ask of `keras.config`; `backend` and `dtype_policies` hold much of it."""

from __future__ import annotations

import os
import warnings
from typing import Any

from kerac.backend import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from kerac.dtype_policies import dtype_policy, set_dtype_policy
from kerac.ir.errors import CompileError, UnsupportedError

_settings: dict[str, Any] = {"interactive": True, "epochs": None, "steps": None}
# Names of Keras that would change nothing here, and why.
_ABSENT = {
    "enable_flash_attention": "the compiler chooses how attention is computed",
    "disable_flash_attention": "the compiler chooses how attention is computed",
    "is_flash_attention_enabled": "the compiler chooses how attention is computed",
    "enable_unsafe_deserialization": "code in a file is never run; pass custom_objects instead",
    "enable_traceback_filtering": "tracebacks are shown whole",
    "is_nnx_enabled": "there is no Flax in it",
}


def __getattr__(name: str) -> Any:
    if name in _ABSENT:
        raise AttributeError(f"kerac.config has no {name!r}: {_ABSENT[name]}")
    raise AttributeError(f"module 'kerac.config' has no attribute {name!r}")


def set_backend(backend: str) -> None:
    """Choose what computes, which is kerac."""
    if backend != "kerac":
        raise UnsupportedError(
            f"backend is set to {backend!r}, but kerac compiles models itself",
            remedy="Leave the call out.",
        )


def enable_interactive_logging() -> None:
    """Let verbose='auto' draw progress bars."""
    _settings["interactive"] = True


def disable_interactive_logging() -> None:
    """Let verbose='auto' print a line for an epoch, as log files want it."""
    _settings["interactive"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether verbose='auto' draws progress bars."""
    return bool(_settings["interactive"])


def disable_traceback_filtering() -> None:
    """Show tracebacks whole, which they are."""


def is_traceback_filtering_enabled() -> bool:
    """Whether parts of tracebacks are hidden, which they are not."""
    return False


def set_max_epochs(max_epochs: int | None) -> None:
    """Let `fit` end after so many epochs, to try a script; None lifts the limit."""
    _settings["epochs"] = _limit("max_epochs", max_epochs)


def max_epochs() -> int | None:
    """The most epochs of a `fit`, from `set_max_epochs` or $KERAS_MAX_EPOCHS."""
    return _settings["epochs"] or _from_environment("KERAS_MAX_EPOCHS")


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Let `fit`, `evaluate` and `predict` end after so many batches; None lifts the limit."""
    _settings["steps"] = _limit("max_steps_per_epoch", max_steps_per_epoch)


def max_steps_per_epoch() -> int | None:
    """The most batches of an epoch, by `set_max_steps_per_epoch` or $KERAS_MAX_STEPS_PER_EPOCH."""
    return _settings["steps"] or _from_environment("KERAS_MAX_STEPS_PER_EPOCH")


def limited_epochs(epochs: int) -> int:
    """A number of epochs within the limit."""
    most = max_epochs()
    if most is None or most >= epochs:
        return epochs
    warnings.warn(f"epochs is {epochs}, but is limited to {most} by max_epochs", stacklevel=3)
    return most


def _limit(name: str, value: int | None) -> int | None:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise CompileError(f"{name} is {value!r:.40}, but a positive integer or None is expected")
    return value


def _from_environment(name: str) -> int | None:
    text = os.environ.get(name)
    if not text:
        return None
    if not text.isdecimal():
        raise CompileError(f"{name} is {text!r:.40}, but a positive integer is expected")
    return _limit(name, int(text))


__all__ = [
    "backend",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_interactive_logging",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled",
    "max_epochs",
    "max_steps_per_epoch",
    "set_backend",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_max_epochs",
    "set_max_steps_per_epoch",
]
