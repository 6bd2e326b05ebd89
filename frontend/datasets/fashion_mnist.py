"""Pieces of clothing: 60,000 + 10,000 grey images of 28×28 in ten classes."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from kerac.datasets.files import STORAGE, PathLike, located
from kerac.ir.errors import FormatError

Array = np.ndarray[Any, Any]
Pair = tuple[Array, Array]
FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
SIDE = 28
MOST_BYTES = 1 << 30


def load_data(path: PathLike | None = None) -> tuple[Pair, Pair]:
    """(images, classes) to train with and to test with: u8[n, 28, 28] and u8[n].

    `path` is a folder that holds the four files, instead of the cache. The files have no
    published checksums; each carries one of its own, which is checked as it is unpacked.
    """
    found = []
    for name in FILES:
        if path is None:
            file = located(name, STORAGE + name, None, Path("datasets", "fashion-mnist"))
        else:
            file = located(Path(path).absolute() / name, STORAGE + name, None)
        found.append(_read(file, 16 if "images" in name else 8))
    x_train, y_train, x_test, y_test = found
    return (_images(x_train, y_train), y_train), (_images(x_test, y_test), y_test)


def _read(path: Path, offset: int) -> Array:
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{path}: cannot be unpacked: {error!s:.120}") from None
    if not offset <= len(data) <= MOST_BYTES:
        raise FormatError(f"{path}: holds {len(data)} bytes, which no file of this data set does")
    return np.frombuffer(data, np.uint8, offset=offset).copy()


def _images(pixels: Array, labels: Array) -> Array:
    if pixels.size != labels.size * SIDE * SIDE:
        raise FormatError(
            f"fashion_mnist: there are {labels.size} labels, "
            f"but {pixels.size / SIDE / SIDE:g} images"
        )
    return pixels.reshape(-1, SIDE, SIDE)
