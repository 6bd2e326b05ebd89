"""The right side of a product: columns of a weight matrix, and how weights lie in memory.

Weights that are constant are packed at compile time, others at every run where it pays: blocks of
`BLOCK` columns one after the other, each with its K rows, so that the innermost loop reads one
contiguous stream. The layout depends on no target: vectors of any width step through the rows of a
block, so that code for several targets shares one copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from kerac.backends.llvm.kernel import Index, Mask, Pointer, Register
from kerac.backends.llvm.plan import Later
from kerac.backends.llvm.schedule import BLOCK
from kerac.ir.graph import Value
from kerac.ir.ops.constant import Constant, Parameter

if TYPE_CHECKING:
    from kerac.backends.llvm.lowering import GroupKernel, Lowering

FAR = 16384  # elements of weights, from which on they may have left the near caches between runs
STREAM = 4096  # elements between what is fetched and what is read of a long block of weights
DEEP = 1024  # rows, beyond which two tiles of weights do not stay in the second-level cache
PADDING = 16  # the last block is as wide as its columns, rounded up to a multiple of this


@dataclass(frozen=True)
class Columns:
    """Columns of a weight matrix: `vectors` vectors from column `first` on, the last one masked."""

    first: Index
    vectors: int
    mask: Mask = None

    def mask_of(self, vector: int) -> Mask:
        """The mask of one vector."""
        return self.mask if vector == self.vectors - 1 else None


@dataclass(frozen=True)
class RowMajor:
    """A weight matrix as it comes: `stride` elements from row to row."""

    pointer: Pointer
    lanes: int
    stride: Index
    start: Index = 0

    def load(self, k: GroupKernel, columns: Columns, vector: int, row: Index) -> Register:
        """One vector of one row."""
        place = self.start + row * self.stride + columns.first + vector * self.lanes
        return k.load(self.pointer, place, self.lanes, columns.mask_of(vector))


@dataclass(frozen=True)
class Packed:
    """A weight matrix [rows, columns] in blocks, from element `start` on.

    Every load fetches nearer what lies `ahead` elements farther on, or, where that is 0, at the
    same place of the tile that follows.
    """

    pointer: Pointer
    rows: Index
    columns: int
    lanes: int
    start: Index = 0
    ahead: int | None = None

    def load(self, k: GroupKernel, columns: Columns, vector: int, row: Index) -> Register:
        """One vector of one row; padding is read as zeros, so that no mask is needed."""
        place = self.place(columns, vector, row)
        if self.ahead is not None:
            tile = k.multiply(self.rows, max(columns.vectors * self.lanes, BLOCK))
            k.prefetch(self.pointer, k.add(place, self.ahead or tile))
        return k.load(self.pointer, place, self.lanes)

    def place(self, columns: Columns, vector: int, row: Index) -> Index:
        """Where a vector of a row lies."""
        first, inside = columns.first, vector * self.lanes
        width = BLOCK
        place: Index
        if isinstance(first, int):
            column = first + inside
            block = column // BLOCK * BLOCK
            width = min(BLOCK, padded(self.columns) - block)
            place = self.start + self.rows * block + row * width + (column - block)
        elif columns.vectors * self.lanes % BLOCK == 0:
            block = first + inside // BLOCK * BLOCK
            place = self.start + block * self.rows + row * width + inside % BLOCK
        else:  # some part of a block
            block = first // BLOCK * BLOCK
            inside = first - block + inside
            place = self.start + block * self.rows + row * width + inside
        return place


WeightMatrix = RowMajor | Packed


def padded(columns: int) -> int:
    """Columns that are kept for `columns`."""
    return -(-columns // PADDING) * PADDING


def constant_array(value: Value) -> np.ndarray | None:
    """The array of a constant operand."""
    if isinstance(value.op, Constant | Parameter) and value.op.data.is_known:
        return value.op.data.array
    return None


def pack_columns(matrix: np.ndarray, packed: np.ndarray) -> None:
    """matrix: [K, F] -> blocks [K, BLOCK] one after the other, the last one narrow.

    They are written into `packed`, which holds zeros and nothing else.
    """
    rows, columns = matrix.shape
    whole, full = columns // BLOCK * BLOCK, padded(columns) // BLOCK * BLOCK
    blocks = packed[: rows * full].reshape(-1, rows, BLOCK)
    blocks[: whole // BLOCK] = matrix[:, :whole].reshape(rows, -1, BLOCK).transpose(1, 0, 2)
    if columns > whole:
        last = blocks[-1] if full > whole else packed[rows * full :].reshape(rows, -1)
        last[:, : columns - whole] = matrix[:, whole:]


def packed_array(lowering: Lowering, array: np.ndarray, groups: int) -> Later:
    """Constant weights, packed; each array only once."""
    key = (id(array), groups)
    if key not in lowering.packed:
        *inputs, columns = array.shape
        size = prod(inputs) * padded(columns // groups)

        def write(packed: np.ndarray) -> None:
            matrix = array.reshape(prod(inputs), groups, columns // groups)
            for group in range(groups):
                pack_columns(matrix[:, group], packed[group * size : (group + 1) * size])

        lowering.packed[key] = Later(groups * size, array.dtype, write)
    later: Later = lowering.packed[key]
    return later


@dataclass(frozen=True)
class ColumnTiles:
    """All columns in tiles: `span` tiles at once, then single ones, then the rest.

    A tile has `vectors` vectors. Runs of several tiles lie in whole blocks.
    """

    k: GroupKernel
    runs: tuple[tuple[int, Columns], ...]  # (number of tiles, the first of them)

    @classmethod
    def of(cls, k: GroupKernel, columns: int, vectors: int, span: int = 1) -> ColumnTiles:
        """Tiles that cover `columns`."""
        total = -(-columns // k.lanes)
        mask = k.tail_mask(columns - (total - 1) * k.lanes, k.lanes)
        width = vectors * k.lanes
        full = total // vectors
        if full and total % vectors == 0 and mask is not None:
            full -= 1  # the last tile has a mask
        # columns up to here lie in whole blocks, so that the place of a register is known in its
        # block
        whole = min(full * width, padded(columns) // BLOCK * BLOCK) // width
        wide = whole // span if span > 1 else 0
        runs = [
            (wide, Columns(0, vectors * span)),
            (whole - wide * span, Columns(wide * span * width, vectors)),
            *((1, Columns(place * width, vectors)) for place in range(whole, full)),
        ]
        if total > full * vectors:
            runs.append((1, Columns(full * width, total - full * vectors, mask)))
        return cls(k, tuple((count, first) for count, first in runs if count))

    @property
    def count(self) -> int:
        """The number of tiles."""
        return sum(count for count, _ in self.runs)

    def at(self, number: Index, body: Callable[[Columns], None]) -> None:
        """body(columns) for the tile of that number."""
        k, before = self.k, 0

        def tile(count: int, first: Columns, before: int) -> None:
            passed = k.multiply(k.subtract(number, before), first.vectors * k.lanes)
            start = first.first if count == 1 else k.add(first.first, passed)
            body(Columns(start, first.vectors, first.mask))

        for count, first in self.runs:
            self._within(number, before, before + count, partial(tile, count, first, before))
            before += count

    def each(self, body: Callable[[Columns], None]) -> None:
        """body(columns) for one tile after the other."""
        k = self.k
        for count, first in self.runs:
            width = first.vectors * k.lanes

            def tile(passed: Index, first: Columns = first) -> None:
                body(Columns(k.add(first.first, passed), first.vectors, first.mask))

            k.loop("f", 0, count * width, tile, step=width)

    def _within(self, number: Index, first: int, stop: int, body: Callable[[], None]) -> None:
        """body() where first <= number < stop."""
        k = self.k
        reached = k.compare("greater_equal", number, first) if first else True
        if stop == self.count:
            k.when(reached, body)
        else:
            k.when(reached, lambda: k.when(k.compare("less", number, stop), body))
