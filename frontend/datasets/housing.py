"""What the two data sets of house prices share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kerac.datasets.arrays import read_npz
from kerac.ir.errors import CompileError

Array = np.ndarray[Any, Any]
Pair = tuple[Array, Array]


def split_houses(path: Path, count: int | None, test_split: float, seed: int) -> tuple[Pair, Pair]:
    """The first `count` samples, in the order of `seed`, the last `test_split` of them apart."""
    if not 0 <= test_split < 1:
        raise CompileError(
            f"test_split is {test_split}, but at least 0 and less than 1 is expected"
        )
    x, y = (array[:count] for array in read_npz(path, ("x", "y")))
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)  # Keras's order for a seed
    x, y = x[order], y[order]
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])
