"""Data in two parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.random import new_seed
from kerac.structure import items, leaves, map_structure
from kerac.utils.dataset import Dataset, stacked

Size = float | int | None


def split_dataset(
    dataset: Any,
    left_size: Size = None,
    right_size: Size = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Dataset, Dataset]:
    """Samples of arrays, or the elements of a data set, in a left and a right part.

    Sizes are numbers of samples, or fractions between 0 and 1; one of them is enough. The parts
    give single samples: call `batch` on them to train.
    """
    if items(dataset) is None and not hasattr(dataset, "__array__"):
        dataset = stacked(list(dataset))
    arrays = map_structure(np.asarray, dataset)
    counts = {len(array) for array in leaves(arrays)}
    if len(counts) != 1:
        raise CompileError(f"split_dataset: arrays need one length, but have {sorted(counts)}")
    count = counts.pop()
    left, right = _sizes(left_size, right_size, count)
    places = np.arange(count)
    if shuffle:
        np.random.default_rng(new_seed() if seed is None else seed).shuffle(places)
    return _part(arrays, places[:left]), _part(arrays, places[count - right :])


def _part(arrays: Any, places: np.ndarray[Any, Any]) -> Dataset:
    if isinstance(arrays, list):
        arrays = tuple(arrays)
    return Dataset(
        len(places), lambda place: map_structure(lambda array: array[places[place]], arrays)
    )


def _sizes(left: Size, right: Size, count: int) -> tuple[int, int]:
    if left is None and right is None:
        raise CompileError("split_dataset: needs left_size or right_size")
    found = [
        None if size is None else _samples(name, size, count)
        for name, size in (("left_size", left), ("right_size", right))
    ]
    first, second = found
    first = count - (second or 0) if first is None else first
    second = count - first if second is None else second
    if min(first, second) < 1 or first + second > count:
        raise CompileError(
            f"split_dataset: {first} and {second} samples are asked for, but there are {count} "
            "and each part needs one"
        )
    return first, second


def _samples(name: str, size: float | int, count: int) -> int:
    if isinstance(size, float):
        if not 0 < size < 1:
            raise CompileError(f"split_dataset: {name} is {size}, but 0 to 1 is expected")
        return round(size * count)
    if not 0 < size < count:
        raise CompileError(f"split_dataset: {name} is {size}, but there are {count} samples")
    return int(size)
