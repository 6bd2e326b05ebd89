"""Nested lists, tuples and dictionaries of tensors; dictionaries go by sorted keys, as in Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(structure: Any) -> list[Any]:
    """Everything in a structure that is no list, tuple or dictionary."""
    return list(_leaves(structure))


def _leaves(structure: Any) -> Iterator[Any]:
    for _, item in items(structure) or ():
        yield from _leaves(item)
    if items(structure) is None:
        yield structure


def items(structure: Any) -> list[tuple[Any, Any]] | None:
    """Index or key and member, for each member; None for a leaf."""
    if isinstance(structure, dict):
        return [(key, structure[key]) for key in sorted(structure)]
    if isinstance(structure, list | tuple):
        return list(enumerate(structure))
    return None


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with `function` of every leaf in its place."""
    members = items(structure)
    if members is None:
        return function(structure)
    mapped = {key: map_structure(function, item) for key, item in members}
    if isinstance(structure, dict):
        return {key: mapped[key] for key in structure}
    return type(structure)(mapped[index] for index in range(len(mapped)))


def pack(structure: Any, flat: list[Any]) -> Any:
    """The same structure with the entries of `flat` as leaves."""
    entries = iter(flat)
    return map_structure(lambda _: next(entries), structure)
