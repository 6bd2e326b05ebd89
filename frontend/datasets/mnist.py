"""Handwritten digits: 60,000 + 10,000 grey images of 28×28."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.datasets.arrays import read_npz
from kerac.datasets.files import STORAGE, PathLike, located

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(path: PathLike = "mnist.npz") -> tuple[Pair, Pair]:
    """(images, digits) to train with and to test with: u8[n, 28, 28] and u8[n].

    `path` is a name in the cache, or the path of a file to read instead.
    """
    file = located(path, f"{STORAGE}mnist.npz", SHA256)
    x_train, y_train, x_test, y_test = read_npz(file, ("x_train", "y_train", "x_test", "y_test"))
    return (x_train, y_train), (x_test, y_test)
