"""What `compile` was given, as Keras writes it into a model's file, and back from there.

What a file names is looked up in closed tables and in what was given in code; nothing is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kerac.convert import plain
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.layers.deserialize import given_classes
from kerac.saving.config import CODE, SerializedFunction, SerializedObject, decode_members


def write_compile_config(optimizer: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a model with this optimizer and the other `arguments` of `compile`."""
    config = {"optimizer": plain(optimizer)}
    return config | {name: _each(value, _written) for name, value in arguments.items()}


def _written(value: Any) -> Any:
    """A name, a number, a config, or an object or function as Keras writes it."""
    if isinstance(value, type):
        value = value()
    if hasattr(value, "serialize"):
        return value.serialize()
    if not callable(value):
        return value
    name = getattr(value, "__name__", "<lambda>")
    if name == "<lambda>":
        raise UnsupportedError(
            f"{value!r:.60} has no name, but a file names the functions that it needs",
            remedy="Write it as a function with a name, or as a Loss.",
        )
    return {
        "module": "builtins",
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def read_compile_config(config: Any) -> dict[str, Any]:
    """The arguments of `compile` that a file's config stands for."""
    if not isinstance(config, Mapping):
        raise CompileError(f"the compile config is {config!r:.40}, but an object is expected")
    found = decode_members(dict(config))
    _refuse_unknown(found)
    return {name: read(found[name]) for name, read in READERS.items() if name in found}


def _refuse_unknown(config: dict[str, Any]) -> None:
    """Raise where a class is not one of Keras, nor given in code; functions go by their names."""
    given = given_classes()
    for item in SerializedObject("", "keras", None, config, "").walk():
        if isinstance(item, SerializedFunction) or item.config is config:
            continue
        names = {item.kind, item.class_name, item.registered_name}
        if (item.module is None or not item.is_keras) and not names & given.keys():
            is_code = item.class_name == CODE
            fact = "is Python code" if is_code else f"{item.kind} is not one of Keras"
            raise UnsupportedError(f"{item.path}: {fact}, and code in a file is never run")


def _optimizer(value: Any) -> Any:
    from kerac import optimizers

    return optimizers.deserialize(value, given_classes())


def _loss(value: Any) -> Any:
    from kerac import losses

    return _named(value, losses.deserialize(value, given_classes()))


def _metric(value: Any) -> Any:
    from kerac import metrics

    if isinstance(value, str) and value.lower() in metrics.BY_SHAPES:
        return value
    return _named(value, metrics.deserialize(value, given_classes()))


def _named(value: Any, found: Any) -> Any:
    """A name that is known stays one, since records are called by it."""
    return value if isinstance(value, str) and value not in given_classes() else found


def _steps(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise CompileError(
            f"steps_per_execution is {value!r:.40}, but a positive integer is expected"
        )
    return value


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Lists and dictionaries with every entry changed but None; a config is an entry."""
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _each(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, change) for item in value]
    return None if value is None else change(value)


READERS: dict[str, Callable[[Any], Any]] = {
    "optimizer": _optimizer,
    "loss": lambda value: _each(value, _loss),
    "loss_weights": lambda value: _each(value, float),
    "metrics": lambda value: _each(value, _metric),
    "weighted_metrics": lambda value: _each(value, _metric),
    "steps_per_execution": _steps,
}
