"""Objects that are data: annotated class fields are the arguments, the config and the text.

    class Dense(Layer):
        units: int                          # Dense(4), Dense(units=4), {"units": 4}
        activation: Activation = None

Fields are arguments in the order of their annotations, those of a base class first. A subclass that
annotates a field again moves it to its own place.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_origin, get_type_hints

from kerac.convert import NotConvertibleError, convert, describe, to_config
from kerac.ir.errors import CompileError, UnsupportedError

REQUIRED: Any = object()


@dataclass(frozen=True)
class Field:
    """One argument: its annotation and its default."""

    name: str
    kind: Any
    default: Any
    keyword_only: bool


class Configured:
    """Base of layers, initializers, regularizers and constraints."""

    module: ClassVar[str] = "keras"
    keyword_only: ClassVar[bool] = False
    # Arguments that a config holds only where they differ from their defaults.
    rarely_written: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, keyword_only: bool = False, **keywords: Any) -> None:
        """Remember whether the class's own fields may be given by keyword alone."""
        super().__init_subclass__(**keywords)
        cls.keyword_only = keyword_only

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        known = fields(type(self))
        given = self.modernize(self._by_name(args, kwargs))
        self._refuse_unknown(given)
        for name, field in known.items():
            value = given.get(name, field.default)
            if value is REQUIRED:
                raise CompileError(f"{self._title(given)}: needs the argument {name!r}")
            setattr(self, name, self._checked(field, value, given))
        self.__post_init__()

    def __post_init__(self) -> None:
        """Bring fields into one form and check them together."""

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        """Arguments as they are called today, from those of older versions of Keras."""
        return arguments

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        names = [field.name for field in fields(type(self)).values() if not field.keyword_only]
        if len(args) > len(names):
            raise CompileError(
                f"{type(self).__name__}: takes {len(names)} positional arguments, "
                f"but got {len(args)}"
            )
        given = dict(zip(names, args, strict=False))
        for name in given.keys() & kwargs.keys():
            raise CompileError(f"{type(self).__name__}: got two values for the argument {name!r}")
        return given | kwargs

    def _refuse_unknown(self, given: Mapping[str, Any]) -> None:
        known = fields(type(self))
        unknown = [name for name in given if name not in known]
        if unknown:
            raise UnsupportedError(
                f"{self._title(given)}: has no argument {' or '.join(map(repr, unknown))}",
                remedy=suggestion(unknown[0], known),
            )

    def _checked(self, field: Field, value: Any, given: Mapping[str, Any]) -> Any:
        try:
            return convert(value, field.kind)
        except NotConvertibleError:
            expected = describe(field.kind)
            raise CompileError(
                f"{self._title(given)}: {field.name} is {value!r:.60}, but {expected} is expected"
            ) from None
        except CompileError as error:
            raise error.with_details(thing=f"{self._title(given)}: {field.name}") from None

    def _title(self, given: Mapping[str, Any]) -> str:
        """What an error calls this object before it is whole."""
        name = given.get("name")
        return f"{type(self).__name__} {name!r}" if isinstance(name, str) else type(self).__name__

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal object, as Keras writes them."""
        return {
            name: to_config(getattr(self, name), field.kind)
            for name, field in fields(type(self)).items()
            if name not in self.rarely_written or getattr(self, name) != field.default
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make an object from what `get_config` returned."""
        return cls(**config)

    def serialize(self) -> dict[str, Any]:
        """The object as Keras writes it inside another config."""
        return {**self.kind(), "config": self.get_config()}

    @classmethod
    def kind(cls) -> dict[str, Any]:
        """What Keras writes of the class, which is one of its own or was given in code."""
        module: str | None = cls.module
        registered: str | None = None
        if not cls.__module__.startswith("kerac."):
            from kerac.registration import get_registered_name

            registered = get_registered_name(cls)
            module = cls.__module__ if registered == cls.__name__ else None
        return {"module": module, "class_name": cls.__name__, "registered_name": registered}

    def __repr__(self) -> str:
        shown = []
        for name, field in fields(type(self)).items():
            value = getattr(self, name)
            if value != field.default and to_config(value, field.kind) != field.default:
                shown.append(f"{name}={to_config(value, field.kind)!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


_fields: dict[type[Configured], dict[str, Field]] = {}


def fields(cls: type[Configured]) -> dict[str, Field]:
    """The arguments of a class by name."""
    if cls not in _fields:
        _fields[cls] = _find_fields(cls)
    return _fields[cls]


def _find_fields(cls: type[Configured]) -> dict[str, Field]:
    hints = get_type_hints(cls, include_extras=True)
    found: dict[str, Field] = {}
    for base in reversed(cls.__mro__):
        if not issubclass(base, Configured):
            continue
        for name in vars(base).get("__annotations__", {}):
            if name.startswith("_") or get_origin(hints[name]) is ClassVar:
                continue
            found.pop(name, None)
            default = getattr(cls, name, REQUIRED)
            found[name] = Field(name, hints[name], default, base.keyword_only)
    return found


def suggestion(word: str, known: Mapping[str, Any] | list[str]) -> str:
    """The nearest of the known words, or all of them."""
    close = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(map(repr, known))}."
