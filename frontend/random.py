"""Random numbers, and where randomness that nobody seeded comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_generators = [np.random.default_rng()]


def set_seed(seed: int) -> None:
    """Make everything random that follows repeatable."""
    _generators[0] = np.random.default_rng(seed)


def new_seed() -> int:
    """A seed for one more generator."""
    return int(_generators[0].integers(2**63))


def uniform(
    shape: Sequence[Any], minval: float = 0.0, maxval: float = 1.0, seed: int | None = None
) -> Any:
    """Random numbers in [minval, maxval), f32.

    Where a layer states what it computes in training they are values, new in each step; otherwise
    an array.
    """
    if _in_step():
        from kerac.layers import random_numbers

        return minval + (maxval - minval) * random_numbers.uniform(tuple(shape), seed)
    generator = np.random.default_rng(new_seed() if seed is None else seed)
    return generator.uniform(minval, maxval, tuple(shape)).astype(np.float32)


def normal(
    shape: Sequence[Any], mean: float = 0.0, stddev: float = 1.0, seed: int | None = None
) -> Any:
    """Normally distributed random numbers, f32, as `uniform` gives them."""
    if _in_step():
        from kerac.layers import random_numbers

        return mean + stddev * random_numbers.normal(tuple(shape), seed)
    generator = np.random.default_rng(new_seed() if seed is None else seed)
    return generator.normal(mean, stddev, tuple(shape)).astype(np.float32)


def _in_step() -> bool:
    from kerac.tracing import current_trace, is_tracing

    return is_tracing() and current_trace().key is not None
