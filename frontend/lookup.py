"""Finding an object by what a user or a file calls it: an instance, a class, a name or a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerac.configured import Configured, suggestion
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.names import snake_case
from kerac.registration import given_classes
from kerac.saving.config import SerializedObject


def find(value: Any, table: Mapping[str, type[Configured]], base: type[Any], kind: str) -> Any:
    """The object of `kind` (a word for messages) that `value` stands for; None stays None."""
    if value is None or isinstance(value, base):
        return value
    if isinstance(value, type) and issubclass(value, base):
        return value()
    if isinstance(value, str):
        return class_named(value, table, kind)()
    if isinstance(value, SerializedObject):
        return class_named(value.class_name, table, kind).from_config(value.config)
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        found = class_named(value["class_name"], table, kind)
        return found.from_config(value.get("config") or {})
    raise CompileError(f"{value!r:.60} is no {kind}, nor the name of one")


def class_named(name: str, table: Mapping[str, type[Configured]], kind: str) -> type[Configured]:
    """The class called `name`, in whatever way Keras ever spelled it."""
    known: dict[str, type[Configured]] = {**table, **given_classes()}
    found = known.get(name) or known.get(name.lower()) or known.get(snake_case(name))
    if found is None:
        raise UnsupportedError(f"there is no {kind} {name!r}", remedy=suggestion(name, table))
    return found


def table_of(
    *classes: type[Configured], **aliases: type[Configured]
) -> dict[str, type[Configured]]:
    """Classes by their names as Keras spells them: `GlorotUniform`, `glorot_uniform`."""
    table = {snake_case(cls.__name__): cls for cls in classes}
    return table | aliases | {cls.__name__: cls for cls in classes}
