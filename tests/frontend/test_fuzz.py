"""Configs with random damage end in a model or in one typed error, never in another exception."""

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

import kerac
from kerac.ir import CompileError
from tests.frontend.test_files import NETWORKS

JUNK: list[Any] = [
    *(None, True, 0, -1, 3, 2**70, 1.5, "", "x", "relu", [], [None], [1, 2], {}),
    *(["x", 0, 0], [["x", 0, 0]], {"class_name": "Dense", "config": {"units": 3}}),
    {"class_name": "__lambda__", "config": {}},
    {"class_name": "__tuple__", "items": [1]},
    {"class_name": "__numpy__", "config": {"value": [1, 2], "dtype": "float32"}},
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}},
    {"class_name": "function", "config": "tanh"},
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list and dictionary in a config with each of its keys."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in list(members):
        yield value, key
        if isinstance(member, dict | list):
            yield from places(member)


def damage(config: Any, choose: random.Random) -> None:
    """Remove something, move something elsewhere, or put junk in its place."""
    everything = list(places(config))
    holder, key = choose.choice(everything)
    kind = choose.random()
    if kind < 0.3:
        del holder[key]
    elif kind < 0.6:
        other, other_key = choose.choice(everything)
        holder[key] = copy.deepcopy(other[other_key])
    else:
        holder[key] = copy.deepcopy(choose.choice(JUNK))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [make for make, _ in NETWORKS], ids=lambda make: make.__name__)
def test_damaged_config(make: Any, seed: int) -> None:
    kerac.utils.clear_session()
    text = make(kerac).to_json()
    choose = random.Random(seed)
    for _ in range(30):
        config = json.loads(text)
        for _ in range(choose.choice([1, 1, 2])):
            damage(config, choose)
        with contextlib.suppress(CompileError):
            model = kerac.models.model_from_json(json.dumps(config))
            if model.count_params() < 1e6:
                model.trace()
