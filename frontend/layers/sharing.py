"""One layer at several places of a file: written with a number that all places share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

KEY = "shared_object_id"

_written: ContextVar[dict[Any, dict[str, Any]] | None] = ContextVar("written layers", default=None)
_read: ContextVar[dict[int, Any] | None] = ContextVar("read layers", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """Number what is written, and find again what was read, in the block."""
    tokens = _written.set({}), _read.set({})
    try:
        yield
    finally:
        _written.reset(tokens[0])
        _read.reset(tokens[1])


def number_shared(layer: Any, serialized: dict[str, Any]) -> dict[str, Any]:
    """The serialized layer; from the second time on, all of its places get its number."""
    known = _written.get()
    if known is None:
        return serialized
    first = known.setdefault(layer, serialized)
    if first is not serialized:
        used = sum(KEY in other for other in known.values())
        serialized[KEY] = first.setdefault(KEY, used + 1)
    return serialized


def find_shared(number: int | None) -> Any:
    """The layer of this number, if it was read before."""
    known = _read.get()
    return None if known is None or number is None else known.get(number)


def remember_shared(number: int | None, layer: Any) -> None:
    """Note a layer under its number."""
    known = _read.get()
    if known is not None and number is not None:
        known[number] = layer
