"""Data that lies in memory: arrays with one row a sample, in lists and dictionaries by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.structure import leaves, map_structure
from kerac.training.batches import Batch, Batches

Array = np.ndarray[Any, Any]
DEFAULT_BATCH_SIZE = 32


@dataclass(frozen=True)
class Rows:
    """Rows of arrays that nobody has taken yet, so that those of several batches can be at once."""

    data: Batch
    rows: slice | Array

    def __len__(self) -> int:
        if isinstance(self.rows, slice):
            return int(self.rows.stop - self.rows.start)
        return len(self.rows)

    @property
    def bytes(self) -> int:
        """The size of the batch."""
        arrays = [array for array in leaves(tuple(self.data)) if array is not None]
        of_one: int = sum(int(array.nbytes) // len(array) for array in arrays)
        return len(self) * of_one

    def taken(self) -> Batch:
        """The batch."""

        def take(array: Any) -> Any:
            return None if array is None else array[self.rows]

        return Batch(*(map_structure(take, part) for part in self.data))


def joined(pieces: Sequence[Rows]) -> Batch:
    """The rows of all pieces, one after another."""
    first, rows = pieces[0], [piece.rows for piece in pieces]
    if len(pieces) == 1:
        return first.taken()
    ends = [(r.start, r.stop) for r in rows if isinstance(r, slice)]
    if len(ends) == len(rows) and all(
        one[1] == other[0] for one, other in itertools.pairwise(ends)
    ):
        return Rows(first.data, slice(ends[0][0], ends[-1][1])).taken()
    numbers = [np.arange(r.start, r.stop) if isinstance(r, slice) else r for r in rows]
    return Rows(first.data, np.concatenate(numbers)).taken()


class ArrayBatches(Batches):
    """Rows of arrays, `batch_size` at a time; the last batch may be smaller.

    With `shuffle` an epoch has an order of its own, which depends on `seed` and its number alone;
    "batch" shuffles whole batches.
    """

    def __init__(
        self,
        data: Batch,
        batch_size: int | None = None,
        shuffle: bool | str = False,
        seed: int = 0,
    ) -> None:
        if shuffle not in (True, False, "batch"):
            raise CompileError(
                f"shuffle is {shuffle!r:.40}, but must be True, False or 'batch'"
            )
        self.data = data
        self.samples = count_samples(data)
        self.batch_size = checked_batch_size(batch_size)
        self.shuffle = shuffle
        self.seed = seed

    @property
    def count(self) -> int:
        """Number of batches of an epoch."""
        return -(-self.samples // self.batch_size)

    def epoch(self, number: int = 0) -> Iterator[Batch]:
        """The batches of an epoch in its order."""
        return (rows.taken() for rows in self.pieces(number))

    def pieces(self, number: int = 0) -> Iterator[Rows]:
        """The same, not taken yet."""
        size = self.batch_size
        starts = range(0, self.samples, size)
        if not self.shuffle:
            for start in starts:
                yield self._rows(slice(start, min(start + size, self.samples)))
            return
        generator = np.random.default_rng([self.seed, number])
        if self.shuffle == "batch":
            # a smaller last batch stays the last one
            whole = self.samples // size
            for batch in generator.permutation(whole):
                yield self._rows(slice(batch * size, (batch + 1) * size))
            if whole < len(starts):
                yield self._rows(slice(whole * size, self.samples))
            return
        order = generator.permutation(self.samples)
        for start in starts:
            yield self._rows(order[start : start + size])

    def _rows(self, rows: slice | Array) -> Rows:
        return Rows(self.data, rows)


def checked_batch_size(batch_size: int | None) -> int:
    """The number of samples of a batch."""
    if batch_size is None:
        return DEFAULT_BATCH_SIZE
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer):
        raise CompileError(f"batch_size is {batch_size!r:.40}, but an integer is expected")
    if batch_size < 1:
        raise CompileError(f"batch_size is {batch_size}, but must be positive")
    return int(batch_size)


def as_arrays(data: Any, what: str) -> Any:
    """Arrays for whatever holds numbers: arrays of any library, tables, lists of numbers.

    Lists and dictionaries of arrays stay what they are.
    """
    if data is None or isinstance(data, np.ndarray):
        return _checked(data, what)
    if isinstance(data, Mapping):
        return {name: as_arrays(item, f"{what}[{name!r}]") for name, item in data.items()}
    if isinstance(data, list | tuple) and not _is_numbers(data):
        return type(data)(as_arrays(item, f"{what}[{i}]") for i, item in enumerate(data))
    if hasattr(data, "detach"):  # torch
        data = data.detach().cpu()
    if hasattr(data, "to_numpy"):  # pandas
        return _checked(data.to_numpy(), what)
    try:
        return _checked(np.asarray(data), what)
    except (ValueError, TypeError) as error:
        raise CompileError(
            f"{what} is no array: {error}",
            remedy="Rows of one array have the same length: pad them.",
        ) from None


def _is_numbers(data: Any) -> bool:
    """Whether a list stands for one array, and not for several."""
    while isinstance(data, list | tuple):
        if not data:
            return True
        data = data[0]
    return np.ndim(data) == 0 and not isinstance(data, Mapping)


def _checked(array: Array | None, what: str) -> Array | None:
    if array is None:
        return None
    if what.startswith("x") and _is_text(array):
        return array.astype(str)
    if array.dtype == object:
        try:
            array = array.astype("float32")
        except (ValueError, TypeError):
            raise CompileError(
                f"{what} holds Python objects, but numbers are expected",
                details=(f"{what}: object {array.shape}",),
                remedy="Rows of one array have the same length: pad them. Encode texts as numbers.",
            ) from None
    if array.dtype.kind in "USMm":
        raise CompileError(
            f"{what} holds {array.dtype}, but numbers are expected",
            remedy="Encode texts and dates as numbers first.",
        )
    if array.ndim == 0:
        raise CompileError(f"{what} is the single number {array}, but needs a row for each sample")
    return array


def _is_text(array: Array) -> bool:
    """Whether the elements are texts, which layers of a model may read."""
    if array.dtype.kind == "O":
        return bool(array.size) and all(isinstance(x, str) for x in array.flat)
    return bool(array.dtype.kind == "U")


def count_samples(data: Batch) -> int:
    """Number of rows, which is the same in all arrays."""
    names = ("x", "y", "sample_weight")
    lengths = {
        f"{name}[{place}]" if len(leaves(part)) > 1 else name: len(array)
        for name, part in zip(names, data, strict=True)
        for place, array in enumerate(leaves(part))
        if array is not None
    }
    if not lengths:
        raise CompileError("x holds no array, so there is nothing to train on")
    if len(set(lengths.values())) > 1:
        raise CompileError(
            "all arrays need the same number of samples, but they differ",
            details=tuple(f"{name}: {length} samples" for name, length in lengths.items()),
        )
    samples = next(iter(lengths.values()))
    if samples == 0:
        raise CompileError("x has no samples, but at least one is needed")
    return samples


def split_off(data: Batch, share: float) -> tuple[Batch, Batch]:
    """The first samples, and the last ones, which are the given share of all."""
    samples = count_samples(data)
    if not 0 < share < 1:
        raise CompileError(f"validation_split is {share}, but must lie between 0 and 1")
    first = int(samples * (1 - share))
    if first == 0 or first == samples:
        raise CompileError(
            f"validation_split is {share}, but {samples} samples cannot be split so",
            remedy="Give more samples, or another share.",
        )

    def cut(rows: slice) -> Batch:
        return Batch(
            *(map_structure(lambda a: None if a is None else a[rows], part) for part in data)
        )

    return cut(slice(0, first)), cut(slice(first, samples))


def weights_of_classes(labels: Any, class_weight: Mapping[int, float]) -> Array:
    """The weight of each sample: that of its class, or 1.

    labels: numbers [N] or [N, 1], or one-hot rows [N, C]
    """
    if not isinstance(class_weight, Mapping):
        raise CompileError(f"class_weight is {class_weight!r:.40}, but a dictionary is expected")
    if isinstance(labels, Mapping | list | tuple) or labels is None:
        raise CompileError("class_weight is given, but that needs one array of labels")
    classes = np.asarray(labels)
    if classes.ndim > 1:
        classes = classes.argmax(-1) if classes.shape[-1] > 1 else classes[..., 0]
    weights = np.ones(classes.shape, np.float32)
    for number, weight in class_weight.items():
        weights[classes == int(number)] = weight
    return weights
