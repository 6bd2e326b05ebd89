"""Where randomness that nobody seeded comes from, and seeds that give new numbers at each use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.names import automatic_name

_generators = [np.random.default_rng()]


def set_seed(seed: int) -> None:
    """Make everything random that follows repeatable."""
    _generators[0] = np.random.default_rng(seed)


def new_seed() -> int:
    """A seed for one more generator."""
    return int(_generators[0].integers(2**63))


class SeedGenerator:
    """A seed and a count of its uses: functions of `kerac.random` draw new numbers at each use.

    An equal generator gives the same numbers in the same order.
    """

    module = "keras.random"

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is not None and not isinstance(seed, int | np.integer):
            raise CompileError(f"SeedGenerator: seed is {seed!r:.40}, but an integer is expected")
        self.name = name or automatic_name("SeedGenerator")
        self.seed = None if seed is None else int(seed)
        first = new_seed() if seed is None else self.seed
        self.state = np.array([(first or 0) % 2**32, 0], np.uint32)

    def next(self) -> np.ndarray[Any, Any]:
        """Two numbers that were not drawn before, u32[2]."""
        drawn = self.state.copy()
        self.state[1] += np.uint32(1)
        return drawn

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal generator."""
        return {"seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SeedGenerator:
        """Make a generator from what `get_config` returned."""
        return cls(**config)


Seed = int | SeedGenerator | None


def key_of(seed: Seed) -> np.ndarray[Any, Any]:
    """The key of one use, u32[2]: that of an integer is always the same."""
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        seed = new_seed()
    if not isinstance(seed, int | np.integer):
        raise CompileError(
            f"seed is {seed!r:.40}, but an integer, a SeedGenerator or None is expected"
        )
    return np.array([int(seed) % 2**32, (int(seed) >> 32) % 2**32], np.uint32)
