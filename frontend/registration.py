"""Classes and functions that a user gives in code, for the names that files call them by.

Files hold names alone: nothing is ever imported or run because a file names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import FunctionType
from typing import Any, TypeVar

from kerac.ir.errors import CompileError, UnsupportedError

Given = TypeVar("Given")

_registered: dict[str, Any] = {}
_in_scope: ContextVar[Mapping[str, Any] | None] = ContextVar("custom objects", default=None)


def given_classes() -> Mapping[str, Any]:
    """What was given in code, by name: registered, or in the scopes around."""
    return {**_registered, **(_in_scope.get() or {})}


@contextmanager
def custom_objects(replacements: Mapping[str, Any] | None) -> Iterator[None]:
    """Let classes given in code stand for names in a file, in the block."""
    token = _in_scope.set({**(_in_scope.get() or {}), **(replacements or {})})
    try:
        yield
    finally:
        _in_scope.reset(token)


custom_object_scope = CustomObjectScope = custom_objects


def get_custom_objects() -> dict[str, Any]:
    """What is registered everywhere, by name; entries may be added and removed."""
    return _registered


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Given], Given]:
    """Register a class or a function, so that files may name it: `package>name`, or its name."""

    def register(given: Given) -> Given:
        own = getattr(given, "__name__", None)
        if own is None:
            raise CompileError(f"{given!r:.60} is registered, but a class or a function is needed")
        if isinstance(given, type) and not hasattr(given, "get_config"):
            raise CompileError(
                f"{own}: is registered, but has no get_config that says how to make it again"
            )
        for key in (f"{package}>{name or own}", name or own):
            _registered[key] = given
        return given

    return register


def given_function(identifier: Any) -> Any:
    """The function that was given in code and that a name or a config stands for, or None.

    `identifier` may be the function itself, its name, or what `written_function` or a file says.
    """
    from kerac.saving.config import SerializedFunction

    if isinstance(identifier, FunctionType | partial):
        return identifier
    if isinstance(identifier, SerializedFunction):
        identifier = identifier.name
    elif isinstance(identifier, dict) and identifier.get("class_name") == "function":
        identifier = identifier.get("config")
    found = given_classes().get(identifier) if isinstance(identifier, str) else None
    return None if isinstance(found, type) else found


def written_function(function: Any) -> dict[str, Any]:
    """A function given in code as Keras writes it: by its name."""
    if getattr(function, "__name__", "<lambda>") == "<lambda>":
        raise UnsupportedError(
            f"{function!r:.60} has no name, so that a file cannot name it",
            remedy="Define it by def, and decorate it with register_keras_serializable(): "
            "only functions with names can be found again.",
        )
    return {
        "module": "builtins",
        "class_name": "function",
        "config": get_registered_name(function),
        "registered_name": "function",
    }


def get_registered_object(name: str, custom: Mapping[str, Any] | None = None) -> Any:
    """What is given under a name, or None."""
    return {**given_classes(), **(custom or {})}.get(name)


def get_registered_name(given: Any) -> str:
    """The name under which something is registered, or its own."""
    own: str = given.__name__
    bases = given.__mro__ if isinstance(given, type) else (given,)
    same = [base for base in bases if base.__name__ == own]
    found = [key for key, value in _registered.items() if any(value is base for base in same)]
    return found[0] if found else own
