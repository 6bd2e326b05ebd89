"""Named values that can be frozen, as scripts keep the settings of an experiment."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from kerac.configured import suggestion
from kerac.ir.errors import CompileError


class Config:
    """A dictionary whose entries are attributes, too; `freeze` keeps it as it is."""

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_config", dict(kwargs))
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether entries stay as they are."""
        return bool(self._frozen)

    def freeze(self) -> None:
        """Refuse changes from now on."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allow changes again."""
        object.__setattr__(self, "_frozen", False)

    def _writable(self) -> dict[str, Any]:
        if self._frozen:
            raise CompileError("Config: an entry is changed, but the config is frozen")
        return self._entries()

    def _entries(self) -> dict[str, Any]:
        found: dict[str, Any] = object.__getattribute__(self, "_config")
        return found

    def as_dict(self) -> dict[str, Any]:
        """A copy as a dictionary."""
        return dict(self._entries())

    def to_json(self) -> str:
        """The entries as text."""
        return json.dumps(self._entries())

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._entries().keys()

    def values(self) -> ValuesView[Any]:
        """The values."""
        return self._entries().values()

    def items(self) -> ItemsView[str, Any]:
        """Names and values."""
        return self._entries().items()

    def get(self, keyname: str, value: Any = None) -> Any:
        """The entry of a name, or `value` where there is none."""
        return self._entries().get(keyname, value)

    def pop(self, *args: Any) -> Any:
        """Take an entry out."""
        return self._writable().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Add or change entries."""
        self._writable().update(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        entries = self._entries()
        if name not in entries:
            raise AttributeError(f"Config has no entry {name!r}. {suggestion(name, entries)}")
        return entries[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self._writable()[name] = value

    def __getitem__(self, key: str) -> Any:
        return self._entries()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._writable()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._writable()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries()))

    def __len__(self) -> int:
        return len(self._entries())

    def __repr__(self) -> str:
        return f"<Config {self._entries()}>"
