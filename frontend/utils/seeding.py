"""One seed for everything that draws random numbers."""

from __future__ import annotations

import random

import numpy as np

from kerac.random import set_seed


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and kerac's random numbers."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - scripts draw their data from it
    set_seed(seed)
