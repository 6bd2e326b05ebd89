"""Data that comes batch by batch: generators, datasets, loaders; read ahead in threads."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.training.arrays import as_arrays, weights_of_classes
from kerac.training.batches import Batch, Batches, unpacked


class PyDataset:
    """Batches by their number: a subclass has `__len__` and `__getitem__`.

    `workers` threads make batches ahead, at most `max_queue_size` of them; `use_multiprocessing`
    changes nothing.
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __len__(self) -> int:
        return int(self.num_batches)

    def __getitem__(self, index: int) -> Any:
        raise CompileError(f"{type(self).__name__}: has no __getitem__, which makes a batch")

    @property
    def num_batches(self) -> int:
        """Number of batches, where `__len__` does not say it."""
        raise CompileError(f"{type(self).__name__}: has no __len__, the number of its batches")

    def on_epoch_begin(self) -> None:
        """What to do before an epoch."""

    def on_epoch_end(self) -> None:
        """What to do after an epoch."""


class IndexedBatches(Batches):
    """The batches of a PyDataset, or of anything with `__len__` and `__getitem__`."""

    def __init__(
        self, dataset: Any, shuffle: bool = False, seed: int = 0, convert: Any = None
    ) -> None:
        self.dataset = dataset
        self.shuffle = bool(shuffle)
        self.seed = seed
        self.convert: Callable[[Any], Batch] = convert or as_batch

    @property
    def count(self) -> int:
        """Number of batches of an epoch."""
        return len(self.dataset)

    def epoch(self, number: int = 0) -> Iterator[Batch]:
        """The batches, made ahead by the dataset's workers, in order."""
        begin = getattr(self.dataset, "on_epoch_begin", None)
        if begin is not None:
            begin()
        order = np.arange(self.count)
        if self.shuffle:
            order = np.random.default_rng([self.seed, number]).permutation(self.count)
        indices = [int(index) for index in order]
        workers = max(getattr(self.dataset, "workers", 1) or 1, 1)
        ahead = max(getattr(self.dataset, "max_queue_size", 10), workers)
        with ThreadPoolExecutor(workers, "kerac-data") as pool:
            pending = deque(pool.submit(self._make, index) for index in indices[:ahead])
            try:
                for index in [*indices[ahead:], *[None] * len(pending)]:
                    batch = pending.popleft().result()
                    if index is not None:
                        pending.append(pool.submit(self._make, index))
                    yield batch
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _make(self, index: int) -> Batch:
        return self.convert(self.dataset[index])

    def on_epoch_end(self) -> None:
        """Tell the dataset."""
        end = getattr(self.dataset, "on_epoch_end", None)
        if end is not None:
            end()


class IterableBatches(Batches):
    """The batches that an iterable gives; an iterator goes on where it stopped."""

    def __init__(self, source: Iterable[Any], convert: Any = None) -> None:
        self.source = source
        self.convert: Callable[[Any], Batch] = convert or as_batch
        is_iterator = iter(source) is source
        self._rest = self._read() if is_iterator else None

    @property
    def count(self) -> int | None:
        """Number of batches, where the source knows it."""
        for ask in (len, lambda source: int(source.cardinality())):
            try:
                found = ask(self.source)  # type: ignore[arg-type]
            except (TypeError, AttributeError, NotImplementedError):
                continue
            return found if found >= 0 else None
        return None

    def epoch(self, number: int = 0) -> Iterator[Batch]:
        """The batches, read ahead by one thread."""
        return self._read() if self._rest is None else self._rest

    def _read(self) -> Iterator[Batch]:
        return read_ahead(self.convert(item) for item in _numpy_items(self.source))


def _numpy_items(source: Any) -> Iterator[Any]:
    """Items as arrays, where the source can give them so."""
    as_numpy = getattr(source, "as_numpy_iterator", None)  # tf.data
    return iter(source if as_numpy is None else as_numpy())


def as_batch(item: Any) -> Batch:
    """A batch of arrays from what a source gave."""
    x, y, weights = unpacked(item)
    return Batch(
        as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(weights, "sample_weight")
    )


def with_class_weights(class_weight: Mapping[int, float]) -> Callable[[Any], Batch]:
    """As `as_batch`, and weights of samples from their classes."""

    def convert(item: Any) -> Batch:
        batch = as_batch(item)
        if batch.sample_weight is not None:
            raise CompileError("class_weight is given, but the data has weights of samples already")
        return batch._replace(sample_weight=weights_of_classes(batch.y, class_weight))

    return convert


def read_ahead(items: Iterator[Batch], size: int = 10) -> Iterator[Batch]:
    """The same items, made by a thread that is up to `size` of them ahead."""
    ahead = _Ahead(items, size)
    try:
        while True:
            goes_on, item = ahead.made.get()
            if goes_on:
                yield item
            elif item is not None:
                raise item
            else:
                return
    finally:
        ahead.stop.set()


class _Ahead:
    """A thread that makes items until it is stopped."""

    def __init__(self, items: Iterator[Batch], size: int) -> None:
        self.items = items
        self.made: queue.Queue[tuple[bool, Any]] = queue.Queue(size)
        self.stop = threading.Event()
        threading.Thread(target=self._work, name="kerac-data", daemon=True).start()

    def _work(self) -> None:
        try:
            if all(self._put(True, item) for item in self.items):
                self._put(False, None)
        except BaseException as error:  # raised again where the items are read
            self._put(False, error)

    def _put(self, goes_on: bool, item: Any) -> bool:
        """Whether somebody still wants items."""
        while not self.stop.is_set():
            try:
                self.made.put((goes_on, item), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
