"""House prices around Boston in the 1970s: 506 samples of 13 numbers.

One of the numbers supposes that segregation by race influences prices: use this data set to show
what is wrong with such data, and `california_housing` for everything else.
"""

from __future__ import annotations

from kerac.datasets.files import STORAGE, PathLike, located
from kerac.datasets.housing import Pair, split_houses

SHA256 = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(
    path: PathLike = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[Pair, Pair]:
    """(features, prices) to train with and to test with: f64[n, 13] and f64[n]."""
    file = located(path, f"{STORAGE}boston_housing.npz", SHA256)
    return split_houses(file, None, test_split, seed)
