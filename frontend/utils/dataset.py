"""Data that is read piece by piece: elements by their number, in an order drawn anew each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.random import new_seed
from kerac.structure import leaves, pack
from kerac.training.streams import PyDataset

WORKERS = 4


class Order:
    """The places 0 ... count - 1, in another order after each `renew` where they are shuffled."""

    def __init__(self, count: int, shuffle: bool, seed: int | None = None) -> None:
        self.places = np.arange(count)
        self.shuffle = shuffle
        self.seed = new_seed() if seed is None else seed
        self.epoch = 0

    def renew(self) -> None:
        """Begin an epoch."""
        if self.shuffle:
            draw = np.random.default_rng([self.seed, self.epoch])
            self.places = draw.permutation(len(self.places))
        self.epoch += 1


class Dataset(PyDataset):
    """Elements that `read` gives by their number; `renew` is called before each epoch.

    Methods return another one, so that they chain: `data.map(scale).batch(32)`. A model takes one
    whose elements are batches.
    """

    def __init__(
        self, count: int, read: Callable[[int], Any], renew: Callable[[], None] | None = None
    ) -> None:
        super().__init__(workers=WORKERS)
        self._count = count
        self._read = read
        self._renew = renew
        self.class_names: list[str] | None = None
        self.file_paths: list[str] | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(f"there are {self._count} elements, but number {index} is asked for")
        return self._read(place)

    def __iter__(self) -> Iterator[Any]:
        self.on_epoch_begin()
        return (self._read(place) for place in range(self._count))

    def on_epoch_begin(self) -> None:
        """Draw another order."""
        if self._renew is not None:
            self._renew()

    def _derived(self, count: int, read: Callable[[int], Any]) -> Dataset:
        other = Dataset(count, read, self._renew)
        other.class_names, other.file_paths = self.class_names, self.file_paths
        return other

    def map(self, function: Callable[..., Any], **_: Any) -> Dataset:
        """What `function` makes of each element; a tuple becomes several arguments."""

        def read(place: int) -> Any:
            element = self._read(place)
            return function(*element) if isinstance(element, tuple) else function(element)

        return self._derived(self._count, read)

    def batch(self, batch_size: int, drop_remainder: bool = False, **_: Any) -> Dataset:
        """Elements stacked, `batch_size` of them at a time."""
        if batch_size < 1:
            raise CompileError(f"batch_size is {batch_size}, but at least 1 is expected")
        count = self._count // batch_size if drop_remainder else -(-self._count // batch_size)

        def read(place: int) -> Any:
            end = min((place + 1) * batch_size, self._count)
            return stacked([self._read(other) for other in range(place * batch_size, end)])

        return self._derived(count, read)

    def take(self, count: int) -> Dataset:
        """The first elements."""
        return self._derived(self._count if count < 0 else min(count, self._count), self._read)

    def skip(self, count: int) -> Dataset:
        """All but the first elements."""
        left = max(self._count - count, 0)
        return self._derived(left, lambda place: self._read(place + count))

    def shuffle(self, buffer_size: int | None = None, seed: int | None = None) -> Dataset:
        """The elements in a random order, another one each epoch; any buffer size shuffles all."""
        order = Order(self._count, True, seed)
        other = self._derived(self._count, lambda place: self._read(int(order.places[place])))
        inner = self._renew

        def renew() -> None:
            if inner is not None:
                inner()
            order.renew()

        other._renew = renew
        return other

    def cache(self, *_: Any) -> Dataset:
        """The same elements, each read once and kept in memory."""
        kept: dict[int, Any] = {}

        def read(place: int) -> Any:
            if place not in kept:
                kept[place] = self._read(place)
            return kept[place]

        return self._derived(self._count, read)

    def prefetch(self, *_: Any) -> Dataset:
        """The same; training reads ahead anyway."""
        return self

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements."""
        return iter(self)


def stacked(elements: list[Any]) -> Any:
    """Elements of one structure as one, their arrays stacked."""
    columns = zip(*(leaves(element) for element in elements), strict=True)
    return pack(elements[0], [np.stack(column) for column in columns])
