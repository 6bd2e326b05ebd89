"""Median house prices in blocks of California in 1990: 20,640 samples of 8 numbers."""

from __future__ import annotations

from kerac.datasets.files import STORAGE, PathLike, located
from kerac.datasets.housing import Pair, split_houses
from kerac.ir.errors import CompileError

SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
COUNTS = {"small": 600, "large": None}


def load_data(
    version: str = "large",
    path: PathLike = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[Pair, Pair]:
    """(features, prices) to train with and to test with: f32[n, 8] and f32[n].

    `version="small"` takes the first 600 samples.
    """
    if version not in COUNTS:
        raise CompileError(f"version is {version!r}, but 'small' or 'large' is expected")
    file = located(path, f"{STORAGE}california_housing.npz", SHA256)
    return split_houses(file, COUNTS[version], test_split, seed)
