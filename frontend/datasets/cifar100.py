"""Photographs: 50,000 + 10,000 of 32×32 in a hundred classes, or twenty groups of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.datasets.cifar import read_batches
from kerac.datasets.files import PathLike, located
from kerac.ir.errors import CompileError

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(
    label_mode: str = "fine", path: PathLike = "cifar-100-python.tar.gz"
) -> tuple[Pair, Pair]:
    """(images, classes) to train with and to test with: u8[n, 32, 32, 3] and u8[n, 1].

    `label_mode="coarse"` gives the groups. `path` is a name in the cache, or the path of the
    archive or of the folder in it.
    """
    if label_mode not in ("fine", "coarse"):
        raise CompileError(
            f"cifar100: label_mode is {label_mode!r}, but 'fine' or 'coarse' is expected"
        )
    file = located(path, ORIGIN, SHA256)
    train, test = read_batches(file, ("train", "test"), f"{label_mode}_labels")
    return train, test
