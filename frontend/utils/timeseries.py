"""Windows of a time series as a data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.utils.dataset import Dataset, Order


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Dataset:
    """Batches of windows of `sequence_length` steps, `sampling_rate` apart, with their targets.

    Windows begin `sequence_stride` steps apart; that which begins at step `i` has `targets[i]`.
    Without targets (None) there are windows alone. `start_index` and `end_index` bound the steps.
    """
    start = start_index or 0
    steps = np.asarray(data)[start:end_index]
    count = len(steps) - (sequence_length - 1) * sampling_rate
    wanted = None if targets is None else np.asarray(targets)[start:end_index]
    if wanted is not None:
        count = min(count, len(wanted))
    numbers = {"sequence_length": sequence_length, "sequence_stride": sequence_stride,
               "sampling_rate": sampling_rate, "batch_size": batch_size or 1}  # fmt: skip
    for name, number in numbers.items():
        if number < 1:
            raise CompileError(f"{name} is {number}, but at least 1 is expected")
    if count < 1:
        raise CompileError(
            f"a window spans {(sequence_length - 1) * sampling_rate + 1} steps, "
            f"but there are {len(steps)}"
        )
    starts = np.arange(0, count, sequence_stride)
    order = Order(len(starts), shuffle, seed)
    inside = np.arange(sequence_length) * sampling_rate

    def read(where: Any) -> Any:
        begins = starts[order.places[where]]
        windows = steps[np.add.outer(begins, inside)]
        return windows if wanted is None else (windows, wanted[begins])

    if batch_size is None:
        return Dataset(len(starts), read, order.renew)
    batches = -(-len(starts) // batch_size)
    return Dataset(
        batches,
        lambda place: read(slice(place * batch_size, (place + 1) * batch_size)),
        order.renew,
    )
