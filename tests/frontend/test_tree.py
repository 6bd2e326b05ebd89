"""`kerac.tree` against `keras.tree`, on structures of every kind and at random."""

from __future__ import annotations

import itertools
import random
from collections import OrderedDict, defaultdict, deque, namedtuple
from functools import partial
from typing import Any

import keras
import pytest

from kerac import tree

KINDS = ("leaf", "leaf", "list", "tuple", "dict", "ordered", "point", "deque", "none")
Point = namedtuple("Point", ["x", "y"])
STRUCTURES: list[Any] = [
    1, None, "text", [], (), {}, [1, (2, [3])], {"b": 1, "a": [2, {"c": 3}]},
    OrderedDict([("b", 1), ("a", 2)]), defaultdict(list, {"b": 1, "a": [2]}),
    Point(1, [2]), deque([1, (2,)]), [None, {"a": None}], [(1, 2), [3], {"a": 4}],
    {"a": (None, 3), "b": [(4, 5), (6,)]},
]  # fmt: skip


def random_structure(numbers: random.Random, depth: int) -> Any:
    kind = numbers.choice(KINDS)
    if depth == 0 or kind == "leaf":
        return numbers.randrange(10)
    members = [random_structure(numbers, depth - 1) for _ in range(numbers.randrange(1, 4))]
    keys = [f"k{numbers.randrange(1000)}_{i}" for i in range(len(members))]
    made: dict[str, Any] = {
        "list": members, "tuple": tuple(members), "none": None, "deque": deque(members),
        "dict": dict(zip(keys, members, strict=True)),
        "ordered": OrderedDict(zip(keys, members, strict=True)),
        "point": Point(members[0], members[-1]),
    }  # fmt: skip
    return made[kind]


NUMBERS = random.Random(0)
ALL = [*STRUCTURES, *(random_structure(NUMBERS, 3) for _ in range(40))]


def outcome(function: Any) -> Any:
    try:
        return repr(function())
    except (ValueError, TypeError):
        return "refused"


@pytest.mark.parametrize("number", range(len(ALL)))
def test_walks(number: int) -> None:
    x = ALL[number]
    walks = {
        "is_nested": lambda t: t.is_nested(x),
        "flatten": lambda t: t.flatten(x),
        "flatten_with_path": lambda t: t.flatten_with_path(x),
        "map": lambda t: t.map_structure(lambda leaf: [leaf, 1], x),
        "map_without_none": lambda t: t.map_structure(repr, x, none_is_leaf=False),
        "map_two": lambda t: t.map_structure(lambda a, b: (a, b), x, x),
        "up_to": lambda t: t.map_structure_up_to([0, 0], repr, x),
        "pack": lambda t: t.pack_sequence_as(x, list(range(len(t.flatten(x))))),
        "pack_wrong": lambda t: t.pack_sequence_as(x, list(range(len(t.flatten(x)) + 1))),
        "tuples": lambda t: t.lists_to_tuples(x),
        "shapes": lambda t: t.map_shape_structure(lambda shape: ("shape", shape), x),
        "top_down": lambda t: visited(t, x, True),
        "bottom_up": lambda t: visited(t, x, False),
        "replaced": lambda t: t.traverse(lambda y: 7 if isinstance(y, tuple) else None, x),
        "to_none": lambda t: t.traverse(lambda y: t.MAP_TO_NONE if y == 3 else None, x),
    }
    for name, walk in walks.items():
        assert outcome(partial(walk, tree)) == outcome(partial(walk, keras.tree)), name


def visited(module: Any, x: Any, top_down: bool) -> list[Any]:
    seen: list[Any] = []
    module.traverse(seen.append, x, top_down=top_down)
    return seen


@pytest.mark.parametrize("name", ["assert_same_structure", "assert_same_paths"])
def test_comparisons(name: str) -> None:
    ours, theirs = getattr(tree, name), getattr(keras.tree, name)
    for a, b in itertools.product(STRUCTURES, repeat=2):
        assert outcome(partial(ours, a, b)) == outcome(partial(theirs, a, b)), (a, b)
