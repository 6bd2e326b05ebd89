"""From whatever `fit` is given to batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerac.ir.errors import CompileError
from kerac.random import new_seed
from kerac.structure import leaves
from kerac.training.arrays import ArrayBatches, as_arrays, weights_of_classes
from kerac.training.batches import Batch, Batches
from kerac.training.streams import (
    IndexedBatches,
    IterableBatches,
    PyDataset,
    as_batch,
    with_class_weights,
)


def batches_of(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: bool | str = False,
    class_weight: Mapping[int, float] | None = None,
) -> Batches:
    """The batches of arrays, of a dataset, of a loader, of a generator or of another iterable."""
    if x is None:
        raise CompileError("x is None, but data is needed")
    if holds_arrays(x):
        data = array_batch(x, y, sample_weight)
        if class_weight is not None:
            data = _weighted(data, class_weight)
        return ArrayBatches(data, batch_size, shuffle, new_seed() if shuffle else 0)
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is not None:
            raise CompileError(
                f"{name} is given, but x is a {type(x).__name__}, which brings its own",
                remedy="Let it give (x, y) or (x, y, sample_weight).",
            )
    convert = as_batch if class_weight is None else with_class_weights(class_weight)
    if is_dataset(x):
        return IndexedBatches(x, bool(shuffle), new_seed() if shuffle else 0, convert)
    if not hasattr(x, "__iter__"):
        raise CompileError(
            f"x is a {type(x).__name__}, but arrays, a PyDataset or an iterable are expected"
        )
    return IterableBatches(x, convert)


def array_batch(x: Any, y: Any = None, sample_weight: Any = None) -> Batch:
    """All samples as one batch of arrays."""
    parts = {"x": x, "y": y, "sample_weight": sample_weight}
    return Batch(*(as_arrays(part, name) for name, part in parts.items()))


def holds_arrays(x: Any) -> bool:
    """Whether x is arrays in memory, and not something that gives batches."""
    if is_dataset(x) or hasattr(x, "as_numpy_iterator"):
        return False
    if isinstance(x, Mapping | list | tuple):
        return all(holds_arrays(item) or item is None for item in _members(x)[:8])
    return hasattr(x, "__array__") or hasattr(x, "to_numpy") or isinstance(x, int | float | bool)


def _members(x: Any) -> list[Any]:
    return list(x.values()) if isinstance(x, Mapping) else list(x)


def is_dataset(x: Any) -> bool:
    """Whether x is a PyDataset, one of Keras, or a Sequence as old scripts derive from."""
    names = {cls.__name__ for cls in type(x).__mro__}
    return isinstance(x, PyDataset) or bool(names & {"PyDataset", "Sequence"})


def _weighted(data: Batch, class_weight: Mapping[int, float]) -> Batch:
    if any(weight is not None for weight in leaves(data.sample_weight)):
        raise CompileError("class_weight and sample_weight are given, but only one of them can be")
    return data._replace(sample_weight=weights_of_classes(data.y, class_weight))
