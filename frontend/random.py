"""Where randomness that nobody seeded comes from."""

from __future__ import annotations

import numpy as np

_generators = [np.random.default_rng()]


def set_seed(seed: int) -> None:
    """Make everything random that follows repeatable."""
    _generators[0] = np.random.default_rng(seed)


def new_seed() -> int:
    """A seed for one more generator."""
    return int(_generators[0].integers(2**63))
