"""Small things that scripts for Keras use."""

from __future__ import annotations

import random

import numpy as np

from kerac.names import clear_session
from kerac.random import set_seed


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and kerac's random numbers."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - scripts draw their data from it
    set_seed(seed)


__all__ = ["clear_session", "set_random_seed"]
