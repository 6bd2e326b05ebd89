"""Register tiles of recurrent products: rows x all gates of a few vectors of units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerac.backends.llvm.kernel import Index, Kind, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.recurrent_cells import Phase
from kerac.backends.llvm.recurrent_states import APART, Step
from kerac.backends.llvm.recurrent_tables import RowNumbers
from kerac.backends.llvm.recurrent_weights import (
    BLOCK,
    GateLayout,
    PackedMatrix,
    UnitBlock,
    working_memory,
)
from kerac.backends.llvm.register_tiles import fused_multiply_add, registers
from kerac.backends.llvm.schedule import LATENCY, fits
from kerac.backends.llvm.target import Target
from kerac.ir.dims import DimLike
from kerac.ir.types import TensorType

BUSY = 2 * LATENCY  # accumulators that keep two multiply-add units busy
WIDE = 4  # vectors of a tile of many rows
MOST_ROWS = 6
MOST_PARTS = 4
NEAR = 3  # times the first-level cache, of which each step finds a good part in turning back
LEAST_PART = 8  # elements of a sum that are worth an accumulator of their own


@dataclass(frozen=True)
class Product:
    """A phase with its weights in memory, and its products with the input.

    These are made `ahead` steps, or are rows of a table made when the kernel was built.
    """

    phase: Phase
    layout: GateLayout
    kernel: PackedMatrix | None
    recurrent: PackedMatrix
    bias: PackedMatrix | None
    recurrent_bias: PackedMatrix | None
    projected: Pointer
    ahead: int
    steps: DimLike
    numbers: RowNumbers | None = None  # of rows of `projected`, where that is a table

    def count(self, block: UnitBlock) -> int:
        """Registers of one row of a tile."""
        return block.vectors * self.layout.slots(block)[0]

    def kind(self, block: UnitBlock) -> Kind:
        """What such a register holds."""
        return Kind(self.projected.dtype, self.layout.slots(block)[1])

    def place(self, row: Index, step: Index) -> Index:
        """Where the products of a row and step with the input lie."""
        return (row * self.ahead + step) * self.layout.size

    def ready_place(self, k: GroupKernel, row: Index, step: Step) -> Index:
        """Where the products of a step with the input lie."""
        if self.numbers is None:
            return self.place(row, step.ahead)
        return self.numbers.place(k, row * k.dim(self.steps) + step.time, self.layout.size)

    def ready(self, k: GroupKernel, row: Index, step: Step, block: UnitBlock) -> list[Register]:
        """The products with the input in the registers of a tile."""
        start, lanes = self.ready_place(k, row, step), self.kind(block).lanes
        places = [start + self.layout.place(block, slot) for slot in range(self.count(block))]
        return [k.load(self.projected, place, lanes) for place in places]

    def fetch_following(self, k: GroupKernel, row: Index, step: Step, block: UnitBlock) -> None:
        """Bring near what the next step reads of a table, whose rows come in no order."""
        if self.numbers is None:
            return
        place = k.add(k.multiply(row, k.dim(self.steps)), step.following)
        start = self.numbers.place(k, place, self.layout.size)
        for slot in range(self.count(block)):
            k.prefetch(self.projected, start + self.layout.place(block, slot))

    def ready_gates(
        self, k: GroupKernel, row: Index, step: Step, block: UnitBlock, vector: int
    ) -> list[Register]:
        """The products with the input of one vector of units, one register a gate."""
        start, gates = self.ready_place(k, row, step), range(self.layout.gates)
        places = [start + self.layout.gate_place(block, vector, gate) for gate in gates]
        return [k.load(self.projected, place, block.lanes) for place in places]


def wide_span(layout: GateLayout) -> int:
    """Vectors of units in a tile of many rows."""
    return max(1, min(WIDE // layout.gates, layout.units.full))


def narrow_span(layout: GateLayout, rows: int, target: Target) -> int:
    """Vectors of units in a tile of few rows.

    Weights that lie near let the latency of multiply-adds be felt, so that two vectors are better
    than one; weights from farther off are better read one block after the other, and each in one
    go.
    """
    near = layout.units.units * layout.size * 4 <= NEAR * target.first_level_cache
    span = 1
    while span < layout.units.full and (
        rows * span * layout.gates < BUSY // 2
        or (near and span < 2)
        or span * layout.units.lanes < BLOCK
    ):
        wider = min(2 * span, layout.units.full)
        vectors = wider * layout.gates
        # one row needs each weight once, so that it comes as an operand from memory
        stays = vectors + 2 <= target.vector_registers if rows == 1 else fits(rows, vectors, target)
        if not stays:
            break
        span = wider
    return span


def parts_of(layout: GateLayout, target: Target) -> int:
    """Into how many parts recurrent sums are cut: a row of few units needs more accumulators."""
    parts = -(-BUSY // (narrow_span(layout, 1, target) * layout.gates))
    return max(1, min(parts, MOST_PARTS, layout.units.units // LEAST_PART))


def most_rows(layouts: Sequence[GateLayout], target: Target) -> int:
    """Rows of the highest tile that stays in registers."""
    vectors = max(wide_span(layout) * layout.gates for layout in layouts)
    rows = 1
    while rows < MOST_ROWS and fits(rows + 1, vectors, target):
        rows += 1
    return rows


def lower_heights(rows: int) -> list[int]:
    """Heights of tiles for what tiles of `rows` rows leave: few, for each is code of its own."""
    return [height for height in (2, 1) if height < rows]


def multiply_add(
    k: GroupKernel,
    sums: Sequence[Any],
    source: Pointer,
    places: Sequence[Index],
    matrix: PackedMatrix,
    block: UnitBlock,
    c: Index,
) -> list[Any]:
    """sums[row][slot] += source[places[row] + c] * matrix[c, slot]"""
    return fused_multiply_add(
        sums,
        range(len(places)),
        len(sums) // len(places),
        lambda row: k.convert(k.load(source, places[row] + c), matrix.pointer.dtype),
        lambda slot: matrix.load(k, block, slot, c),
    )


def biases(
    k: GroupKernel, product: Product, bias: PackedMatrix | None, block: UnitBlock, rows: int
) -> list[Any]:
    """What the sums of `rows` rows begin with."""
    count = product.count(block)
    if bias is None:
        return [0.0] * (rows * count)
    return [bias.load(k, block, slot, 0) for slot in range(count)] * rows


def input_sums(
    k: GroupKernel,
    product: Product,
    kernel: PackedMatrix,
    x: Pointer,
    places: Sequence[Index],
    block: UnitBlock,
) -> list[Register]:
    """bias + x[row] @ kernel for rows of features that begin at `places`."""
    initial = biases(k, product, product.bias, block, len(places))
    kinds = [product.kind(block)] * len(initial)

    def step(c: Index, *sums: Any) -> list[Any]:
        return multiply_add(k, sums, x, places, kernel, block, c)

    return registers(k, k.loop("c", 0, kernel.depth, step, carried=initial, kinds=kinds), kinds)


def recurrent_sums(
    k: GroupKernel,
    product: Product,
    source: Pointer,
    places: Sequence[Index],
    block: UnitBlock,
    initial: Sequence[Any],
) -> list[Register]:
    """initial + source[row] @ recurrent, in parts of which the first begins with `initial`."""
    matrix, parts = product.recurrent, parts_of(product.layout, k.target)
    count, kinds = len(initial), [product.kind(block)] * len(initial)
    bounds = [0]
    for part in range(parts):
        bounds.append(bounds[-1] + matrix.depth // parts + (part < matrix.depth % parts))
    totals: list[Any] = [list(initial), *([0.0] * count for _ in range(parts - 1))]
    if fits(len(places) * parts, product.count(block), k.target):
        totals = _side_by_side(k, totals, source, places, matrix, block, bounds)
    else:
        for part in range(parts):

            def step(c: Index, *sums: Any) -> list[Any]:
                return multiply_add(k, sums, source, places, matrix, block, c)

            totals[part] = k.loop(
                "c", bounds[part], bounds[part + 1], step, carried=totals[part], kinds=kinds
            )
    result = registers(k, totals[0], kinds)
    for total in totals[1:]:
        result = [a + b for a, b in zip(result, registers(k, total, kinds), strict=True)]
    return result


def _side_by_side(
    k: GroupKernel,
    totals: list[Any],
    source: Pointer,
    places: Sequence[Index],
    matrix: PackedMatrix,
    block: UnitBlock,
    bounds: Sequence[int],
) -> list[Any]:
    """All parts in one loop; some are one longer than others."""
    parts, count = len(totals), len(totals[0])
    kinds = [Kind(matrix.pointer.dtype, matrix.layout.slots(block)[1])] * (parts * count)

    def split(sums: Sequence[Any]) -> list[Any]:
        return [list(sums[part * count : (part + 1) * count]) for part in range(parts)]

    def step(c: Index, *sums: Any) -> list[Any]:
        new = []
        for part, total in enumerate(split(sums)):
            new += multiply_add(k, total, source, places, matrix, block, bounds[part] + c)
        return new

    short = matrix.depth // parts
    flat = [value for total in totals for value in total]
    totals = split(k.loop("c", 0, short, step, carried=flat, kinds=kinds))
    for part in range(matrix.depth % parts):
        totals[part] = multiply_add(
            k, totals[part], source, places, matrix, block, bounds[part] + short
        )
    return totals


class Corner:
    """Memory where the sums of a tile go, to come back row by row with one register a gate."""

    def __init__(
        self, k: GroupKernel, layouts: Sequence[GateLayout], batch: DimLike, dtype: str
    ) -> None:
        self.k = k
        vectors = max(
            layout.gates * max(wide_span(layout), narrow_span(layout, 2, k.target))
            for layout in layouts
        )
        self.width = layouts[0].units.lanes * vectors + APART
        self.pointer = working_memory(k, TensorType(dtype, (batch, self.width)), "corner")

    def gates(
        self,
        product: Product,
        rows: Sequence[Index],
        block: UnitBlock,
        sums: Sequence[Register],
    ) -> Callable[[Index, int], Sequence[Register]]:
        """The gates of a row and vector; one row's stay in registers where each has its own."""
        k, count, lanes = self.k, product.count(block), product.kind(block).lanes
        number = count // block.vectors
        if len(rows) == 1 and lanes == block.lanes:
            return lambda row, vector: sums[vector * number : (vector + 1) * number]
        for i, row in enumerate(rows):
            for slot in range(count):
                place = row * self.width + slot * lanes
                k.store(self.pointer, place, sums[i * count + slot])

        def load(row: Index, vector: int) -> list[Register]:
            start = row * self.width + vector * number * lanes
            return [
                k.load(self.pointer, start + gate * block.lanes, block.lanes)
                for gate in range(product.layout.gates)
            ]

        return load


def for_each(k: GroupKernel, rows: Sequence[Index], body: Callable[[Index], None]) -> None:
    """body(row) for adjacent rows; its code exists once."""
    if len(rows) == 1:
        body(rows[0])
    else:
        k.loop("i", rows[0], rows[0] + len(rows), body)
