"""Back through time: blocks of rows go through all steps, and share the weights of each product.

A row's sums have one order, whichever tile of rows it falls into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerac.backends.llvm.kernel import Index, Kind, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.recurrent_weights import UnitBlock, UnitLayout, over_units
from kerac.backends.llvm.register_tiles import fused_multiply_add, over_tiles, registers
from kerac.backends.llvm.schedule import fits
from kerac.backends.llvm.target import Target
from kerac.ir.dims import DimLike

SPAN = 3  # vectors of units that are summed side by side
MOST_ROWS = 8


def rows_together(target: Target) -> int:
    """Rows of a block: as many as keep their sums in registers."""
    rows = MOST_ROWS
    while not fits(rows, SPAN, target) and rows > 1:
        rows //= 2
    return rows


def in_blocks(
    k: GroupKernel, batch: DimLike, cost: Index, body: Callable[[Index, Index], None]
) -> None:
    """body(first row, stop) for blocks of rows, in parallel; `cost` is that of a row."""
    rows, count = rows_together(k.target), k.dim(batch)

    def block(n: Index) -> None:
        first = k.multiply(n, rows)
        body(first, k.minimum(k.add(first, rows), count))

    blocks = k.quotient(k.add(count, rows - 1), rows)
    k.parallel({"n": blocks}, block, cost=k.multiply(cost, rows))


@dataclass(frozen=True)
class BackProduct:
    """state[row] += the sum over gates of products[row, gate] @ matrix[gate], in working memory.

    matrix: [gates * U, U], read where it lies. With `scale`: [rows, gates * U] the product of each
    gate is multiplied by it.
    """

    k: GroupKernel
    units: UnitLayout
    gates: int
    matrix: Pointer
    products: Pointer
    state: Pointer
    scale: Pointer | None = None

    def add(self, first: Index, stop: Index) -> None:
        """Of the rows from `first` to `stop`."""
        rows = rows_together(self.k.target)
        heights = [height for height in (rows, 2, 1) if height <= rows]

        def tile(some: Sequence[Index]) -> None:
            over_units(self.k, self.units, SPAN, lambda block: self._tile(some, block))

        over_tiles(self.k, first, stop, list(dict.fromkeys(heights)), tile)

    def _tile(self, rows: Sequence[Index], block: UnitBlock) -> None:
        k = self.k
        places = [
            row * self.units.row + block.first + vector * block.lanes
            for row in rows
            for vector in range(block.vectors)
        ]
        sums: Any = [k.load(self.state, place, block.lanes) for place in places]
        for gate in range(self.gates):
            if self.scale is None:
                sums = self._of_gate(gate, rows, block, sums)
            else:
                own = self._of_gate(gate, rows, block, [0.0] * len(places))
                sums = self._scaled(self.scale, gate, rows, block, sums, own)
        for place, total in zip(places, sums, strict=True):
            k.store(self.state, place, total)

    def _of_gate(self, gate: int, rows: Sequence[Index], block: UnitBlock, sums: Any) -> Any:
        k, units = self.k, self.units.units
        starts = [(row * self.gates + gate) * self.units.row for row in rows]

        def weights(vector: int, d: Index) -> Register:
            place = (d + gate * units) * units + block.first + vector * block.lanes
            loaded = k.load(self.matrix, place, block.lanes, block.mask_of(vector))
            return k.convert(loaded, self.products.dtype)

        def depth(d: Index, *sums: Any) -> list[Any]:
            return fused_multiply_add(
                sums,
                range(len(starts)),
                block.vectors,
                lambda row: k.load(self.products, starts[row] + d),
                lambda vector: weights(vector, d),
            )

        kinds = [Kind(self.products.dtype, block.lanes)] * len(sums)
        return registers(k, k.loop("d", 0, units, depth, carried=sums, kinds=kinds), kinds)

    def _scaled(
        self,
        scale: Pointer,
        gate: int,
        rows: Sequence[Index],
        block: UnitBlock,
        sums: Any,
        own: Any,
    ) -> list[Any]:
        """sums + scale * own"""
        k, units, new = self.k, self.units.units, []
        for place, (total, part) in enumerate(zip(sums, own, strict=True)):
            row, vector = divmod(place, block.vectors)
            at = (rows[row] * self.gates + gate) * units + block.first + vector * block.lanes
            factor = k.load(scale, at, block.lanes, block.mask_of(vector))
            new.append(k.fma(k.convert(factor, part.kind.dtype), part, total))
        return new
