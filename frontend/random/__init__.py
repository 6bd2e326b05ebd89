"""Random numbers as functions of a seed: by counting, the same on every machine.

An integer seed gives the same numbers at each use, in a graph and on arrays; a `SeedGenerator` and
None give new ones. Outside a graph the results are arrays. Where a layer states what it computes
they are values: in training new in each step, in inference settled when the graph is made.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kerac.random.seeds import SeedGenerator, key_of, new_seed, set_seed

if TYPE_CHECKING:
    from kerac.random.distributions import (
        beta,
        binomial,
        categorical,
        dropout,
        gamma,
        normal,
        randint,
        shuffle,
        truncated_normal,
        uniform,
    )

_DISTRIBUTIONS = (
    *("beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle"),
    *("truncated_normal", "uniform"),
)


def __getattr__(name: str) -> Any:
    """A distribution; initializers read seeds here before there are graphs to draw in."""
    if name in _DISTRIBUTIONS:
        return getattr(import_module("kerac.random.distributions"), name)
    raise AttributeError(f"module 'kerac.random' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "key_of",
    "new_seed",
    "normal",
    "randint",
    "set_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]
