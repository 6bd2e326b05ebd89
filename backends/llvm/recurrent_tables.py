"""Inputs that are rows of a constant table, as embeddings are: their products are made beforehand.

Each row of the table times the kernel, and the bias, is a row of another table, which the steps
read by the same numbers. It serves where it is small enough to stay near the processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.backends.llvm.gather import clamped
from kerac.backends.llvm.kernel import Index, Pointer
from kerac.backends.llvm.lowering import GroupKernel, Lowering
from kerac.backends.llvm.packing import constant_array
from kerac.backends.llvm.recurrent_weights import GateLayout
from kerac.ir.graph import Value
from kerac.ir.ops.movement import Gather
from kerac.ir.ops.training import Dropout
from kerac.ir.types import numpy_dtype

MOST_BYTES = 1 << 24  # of a table that is worth its memory


@dataclass(frozen=True)
class RowNumbers:
    """Which rows of a table of `count` rows the steps take: numbers [N, T] in memory."""

    pointer: Pointer
    count: int

    def place(self, k: GroupKernel, place: Index, width: int) -> Index:
        """Where the row of `width` elements begins whose number lies at `place`."""
        return clamped(k, k.load(self.pointer, place), self.count) * width


def table_of(x: Value, bytes_of_row: int) -> tuple[np.ndarray, Value] | None:
    """The table and the row numbers that x is gathered from, if its products are worth a table."""
    while isinstance(x.op, Dropout):
        x = x.operands[0]
    if not isinstance(x.op, Gather):
        return None
    table, numbers = x.operands
    array = constant_array(table)
    if array is None or array.ndim != 2 or numbers.ndim != 2 or not len(array):
        return None
    return (array, numbers) if len(array) * bytes_of_row <= MOST_BYTES else None


def product_table(
    lowering: Lowering,
    table: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    layout: GateLayout,
    gates: tuple[int, ...],
    dtype: str,
) -> np.ndarray:
    """table @ kernel + bias in the order of `layout`, one row after the other."""
    key = ("products", id(table), id(kernel), id(bias), dtype, *gates)
    if key not in lowering.packed:
        product = table.astype(np.float64) @ kernel.astype(np.float64)
        if bias is not None:
            product += bias.reshape(-1, kernel.shape[-1])[0].astype(np.float64)
        # where each number of a row goes; the places of no number hold the one before the first
        order = layout.pack(np.arange(1, kernel.shape[-1] + 1)[None], gates)
        padded = np.pad(product, ((0, 0), (1, 0)))
        lowering.packed[key] = np.ascontiguousarray(padded[:, order].astype(numpy_dtype(dtype)))
    ordered: np.ndarray = lowering.packed[key]
    return ordered
