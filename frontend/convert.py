"""Arguments of layers against their annotations: checked strictly, written as Keras writes them.

A kind is Any, None, bool, int, float, str, Literal[...], dict, a class, a union, tuple or list of
kinds, or Annotated[..., Conversion].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np

PLURALS = {"an integer": "integers", "a number": "numbers", "a text": "texts"}


class NotConvertibleError(Exception):
    """A value is not of the kind that its annotation says."""


@dataclass(frozen=True)
class Conversion:
    """How values of a kind are read from what a user or a file gives, and written to a config."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    description: str


def convert(value: Any, kind: Any) -> Any:
    """`value` as `kind`; raises NotConvertibleError where it is something else."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return arguments[1].read(value)
    if origin in (Union, UnionType):
        return _convert_to_any(value, arguments)
    if origin is tuple:
        return _convert_tuple(value, arguments)
    if origin is list and isinstance(value, list | tuple):
        return [convert(item, arguments[0]) for item in value]
    if origin is Literal:
        fits = any(
            value is choice or (type(value) is str and value == choice) for choice in arguments
        )
    else:
        value, fits = _convert_simple(value, kind if origin is None else origin)
    if not fits:
        raise NotConvertibleError
    return value


def _convert_simple(value: Any, kind: Any) -> tuple[Any, bool]:
    if kind is Any:
        return value, True
    if isinstance(value, np.generic):
        value = value.item()
    if kind in (None, NoneType):
        return value, value is None
    if kind in (int, float) and isinstance(value, bool):
        return value, False
    if kind is float and isinstance(value, int):
        return float(value), True
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value), True
    return value, isinstance(value, kind)


def _convert_to_any(value: Any, kinds: tuple[Any, ...]) -> Any:
    for kind in sorted(kinds, key=lambda kind: kind is not NoneType):
        try:
            return convert(value, kind)
        except NotConvertibleError:
            continue
    raise NotConvertibleError


def _convert_tuple(value: Any, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        raise NotConvertibleError
    if kinds[-1] is Ellipsis:
        return tuple(convert(item, kinds[0]) for item in value)
    if len(value) != len(kinds):
        raise NotConvertibleError
    return tuple(convert(item, kind) for item, kind in zip(value, kinds, strict=True))


def describe(kind: Any) -> str:
    """What values of a kind are, in a user's words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return str(arguments[1].description)
    if origin in (Union, UnionType):
        return " or ".join(map(describe, arguments))
    if origin is tuple:
        item = describe(arguments[0])
        many = "several " if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return many + PLURALS.get(item, f"of {item}")
    if origin is list:
        return f"a list of {PLURALS.get(describe(arguments[0]), describe(arguments[0]))}"
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    names = {
        int: "an integer", float: "a number", str: "a text", bool: "True or False",
        dict: "a dictionary", None: "None", NoneType: "None",
    }  # fmt: skip
    return names.get(origin or kind) or f"a {kind.__name__}"


def to_config(value: Any, kind: Any) -> Any:
    """`value`, which is of `kind`, as it stands in a config."""
    for option in (kind, *get_args(kind)):
        if get_origin(option) is Annotated and value is not None:
            return get_args(option)[1].write(value)
    return plain(value)


def plain(value: Any) -> Any:
    """Nested lists, tuples and dictionaries with every object in them serialized."""
    if isinstance(value, tuple | list):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return {
            "class_name": "__numpy__",
            "config": {"value": value.tolist(), "dtype": value.dtype.name},
        }
    if isinstance(value, slice):
        parts = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": parts}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, np.generic):
        return value.item()
    return value.serialize() if hasattr(value, "serialize") else value
