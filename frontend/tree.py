"""What scripts ask of `keras.tree`: walks over nested lists, tuples, dictionaries and deques.

Dictionaries go by sorted keys, ordered ones by their own order.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from kerac.ir.errors import CompileError

Path = tuple[Any, ...]


class MAP_TO_NONE:  # noqa: N801 - Keras calls it so
    """What a function for `traverse` returns to put None in a place."""


def is_nested(structure: Any) -> bool:
    """Whether something has members, and is no leaf."""
    return isinstance(structure, list | tuple | dict | deque)


def flatten(structure: Any) -> list[Any]:
    """All leaves; None is one."""
    return [leaf for _, leaf in flatten_with_path(structure)]


def flatten_with_path(structure: Any) -> list[tuple[Path, Any]]:
    """All leaves, each with the indices and keys that lead to it."""
    if not is_nested(structure):
        return [((), structure)]
    return [
        ((key, *path), leaf)
        for key, member in _members(structure)
        for path, leaf in flatten_with_path(member)
    ]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """The same structure with `func` of the leaves in one place of all structures there."""
    if not structures:
        raise CompileError("map_structure: no structure is given, but one is needed")
    first, *others = structures
    if first is None and not none_is_leaf:
        return None
    if not is_nested(first):
        if any(is_nested(other) for other in others):
            raise _different()
        return func(*structures)
    rows = [_member_values(first, structure) for structure in structures]
    mapped = [map_structure(func, *row, none_is_leaf=none_is_leaf) for row in zip(*rows)]  # noqa: B905 - lengths were compared
    return _rebuilt(first, mapped)


def map_structure_up_to(
    shallow_structure: Any, func: Callable[..., Any], *structures: Any
) -> Any:
    """`map_structure` where leaves are what stands in the places of those of another structure."""
    if not structures:
        raise CompileError("map_structure_up_to: no structure is given, but one is needed")
    if not is_nested(shallow_structure):
        return func(*structures)
    rows = [_member_values(shallow_structure, structure) for structure in structures]
    shallow = _member_values(shallow_structure, shallow_structure)
    mapped = [
        map_structure_up_to(part, func, *row)
        for part, *row in zip(shallow, *rows, strict=True)
    ]
    return _rebuilt(shallow_structure, mapped)


def assert_same_structure(a: Any, b: Any) -> None:
    """Raise an error unless both are nested in the same way, by the same classes."""
    if is_nested(a) != is_nested(b):
        raise _different()
    if is_nested(a):
        for one, other in zip(_member_values(a, a), _member_values(a, b), strict=True):
            assert_same_structure(one, other)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise an error unless leaves have the same paths, whatever the classes around them."""
    one, other = ({path for path, _ in flatten_with_path(x)} for x in (a, b))
    if one != other:
        raise CompileError(
            "a and b must have the same paths, but differ",
            details=(f"only in a: {sorted(one - other, key=str)}",
                     f"only in b: {sorted(other - one, key=str)}"),
        )


def pack_sequence_as(structure: Any, flat_sequence: Sequence[Any]) -> Any:
    """The same structure with the entries of a sequence as leaves."""
    count = len(flatten(structure))
    if count != len(flat_sequence):
        raise CompileError(
            f"the structure has {count} leaves, but {len(flat_sequence)} are to be put in"
        )
    entries = iter(flat_sequence)
    return map_structure(lambda _: next(entries), structure)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """`func` of every part of a structure, where it returns something in the part's place.

    A part that was replaced is not walked into, if parts come before their members.
    """
    found = func(structure) if top_down else None
    if found is None:
        if is_nested(structure):
            members = [traverse(func, x, top_down) for _, x in _members(structure)]
            structure = _rebuilt(structure, members)
        if not top_down:
            found = func(structure)
    if found is MAP_TO_NONE:
        return None
    return structure if found is None else found


def lists_to_tuples(structure: Any) -> Any:
    """The same structure with tuples in place of lists."""
    return traverse(
        lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False
    )


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`map_structure` where shapes are leaves: lists and tuples of integers and None."""
    is_shape = isinstance(structure, list | tuple) and all(
        length is None or isinstance(length, int) for length in structure
    )
    if is_shape or not is_nested(structure):
        return func(structure)
    return _rebuilt(structure, [map_shape_structure(func, x) for _, x in _members(structure)])


def _members(structure: Any) -> list[tuple[Any, Any]]:
    """Index or key and member, for each member."""
    if isinstance(structure, OrderedDict):
        return list(structure.items())
    if isinstance(structure, dict):
        return [(key, structure[key]) for key in sorted(structure)]
    return list(enumerate(structure))


def _member_values(like: Any, structure: Any) -> list[Any]:
    """The members of a structure in the order of those of another one of its kind."""
    if isinstance(like, dict):
        if not isinstance(structure, dict) or like.keys() != structure.keys():
            raise _different()
        return [structure[key] for key, _ in _members(like)]
    if type(like) is not type(structure) or len(like) != len(structure):
        raise _different()
    return list(structure)


def _rebuilt(structure: Any, members: list[Any]) -> Any:
    """A structure of the same class with other members."""
    if isinstance(structure, dict):
        found = dict(zip((key for key, _ in _members(structure)), members, strict=True))
        ordered = {key: found[key] for key in structure}
        if isinstance(structure, defaultdict):
            return defaultdict(structure.default_factory, ordered)
        return OrderedDict(ordered) if isinstance(structure, OrderedDict) else ordered
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*members)
    if isinstance(structure, deque):
        return deque(members, maxlen=structure.maxlen)
    return type(structure)(members)


def _different() -> CompileError:
    return CompileError("structures must be nested in the same way, but differ")


__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]
