"""Photographs: 50,000 + 10,000 of 32×32 in ten classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.datasets.cifar import read_batches
from kerac.datasets.files import PathLike, located

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
TRAINING = tuple(f"data_batch_{number}" for number in range(1, 6))


def load_data(path: PathLike = "cifar-10-python.tar.gz") -> tuple[Pair, Pair]:
    """(images, classes) to train with and to test with: u8[n, 32, 32, 3] and u8[n, 1].

    `path` is a name in the cache, or the path of the archive or of the folder in it.
    """
    file = located(path, ORIGIN, SHA256)
    *training, test = read_batches(file, (*TRAINING, "test_batch"), "labels")
    images, labels = (np.concatenate(part) for part in zip(*training, strict=True))
    return (images, labels), test
