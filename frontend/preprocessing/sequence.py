"""Windows of time series, pairs of words, and sequences of one length."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.training.streams import PyDataset
from kerac.utils.sequences import pad_sequences

Array = np.ndarray[Any, np.dtype[Any]]
EULER_GAMMA = 0.577


class TimeseriesGenerator(PyDataset):
    """Batches of windows of a time series, with the target that follows each.

    A window before step `i` holds `data[i - length : i : sampling_rate]`; its target is
    `targets[i]`. Steps `i` are `stride` apart.
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise CompileError(
                f"TimeseriesGenerator: data has {len(data)} steps, but targets have {len(targets)}"
            )
        self.data, self.targets = data, targets
        self.length, self.sampling_rate, self.stride = length, sampling_rate, stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        if self.start_index > self.end_index:
            raise CompileError(
                f"TimeseriesGenerator: the first window ends before step {self.start_index}, "
                f"but the last step is {self.end_index}"
            )

    def __len__(self) -> int:
        steps = self.batch_size * self.stride
        return (self.end_index - self.start_index + steps) // steps

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        first, last = self.start_index, self.end_index + 1
        if self.shuffle:
            # scripts seed NumPy's own generator
            rows = np.random.randint(first, last, size=self.batch_size)  # noqa: NPY002
        else:
            start = first + self.batch_size * self.stride * index
            rows = np.arange(start, min(start + self.batch_size * self.stride, last), self.stride)
        windows = [self.data[row - self.length : row : self.sampling_rate] for row in rows]
        samples = np.array(windows)
        targets = np.array([self.targets[row] for row in rows])
        return (samples[:, ::-1, ...] if self.reverse else samples), targets


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> Array:
    """How likely the word of each rank is kept by `skipgrams`, by Zipf's law: rare ones more."""
    rank = np.arange(size)
    rank[0] = 1
    inverse = rank * (np.log(rank) + EULER_GAMMA) + 0.5 - 1 / (12 * rank)
    return np.minimum(1, np.sqrt(sampling_factor * inverse))


def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words: those near each other, labelled 1, and random ones, labelled 0.

    Number 0 is no word. Python's `random` draws, seeded by `seed` only to shuffle, as in Keras.
    """
    couples = []
    for place, word in enumerate(sequence):
        if not word:
            continue
        if sampling_table is not None and sampling_table[word] < random.random():
            continue
        start, end = max(0, place - window_size), min(len(sequence), place + window_size + 1)
        near = [sequence[other] for other in range(start, end) if other != place]
        couples += [[word, other] for other in near if other]
    positive, negative = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels: list[Any] = [positive] * len(couples)
    if negative_samples > 0:
        count = int(len(labels) * negative_samples)
        words = [word for word, _ in couples]
        random.shuffle(words)
        couples += [
            [words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(count)
        ]
        labels += [negative] * count
    if shuffle:
        seed = random.randint(0, 10_000_000) if seed is None else seed
        for items in (couples, labels):
            random.seed(seed)
            random.shuffle(items)
    return couples, labels


__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]
