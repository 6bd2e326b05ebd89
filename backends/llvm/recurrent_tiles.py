"""Register tiles of recurrent products: rows x all gates of a few vectors of units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerac.backends.llvm.contraction import fused_multiply_add, registers
from kerac.backends.llvm.kernel import Index, Kind, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering
from kerac.backends.llvm.recurrent_cells import Phase
from kerac.backends.llvm.recurrent_weights import GateLayout, PackedMatrix, UnitBlock
from kerac.backends.llvm.schedule import LATENCY, fits
from kerac.backends.llvm.target import Target
from kerac.ir.dims import DimLike
from kerac.ir.types import TensorType

Gates = Callable[[Index, int], Sequence[Register]]  # (row, vector of units) -> one a gate

BUSY = 2 * LATENCY  # accumulators that keep two multiply-add units busy
WIDE = 4  # vectors of a tile of many rows
MOST_PARTS = 4
LEAST_PART = 8  # elements of a sum that are worth an accumulator of their own


@dataclass(frozen=True)
class Product:
    """A phase with its weights in memory."""

    phase: Phase
    layout: GateLayout
    kernel: PackedMatrix
    recurrent: PackedMatrix
    bias: PackedMatrix | None
    recurrent_bias: PackedMatrix | None

    def count(self, block: UnitBlock) -> int:
        """Registers of one row of a tile."""
        return block.vectors * self.layout.slots(block)[0]

    def kind(self, block: UnitBlock) -> Kind:
        """What such a register holds."""
        return Kind(self.kernel.pointer.dtype, self.layout.slots(block)[1])

    def wide_span(self) -> int:
        """Vectors of units in a tile of many rows."""
        return max(1, min(WIDE // self.layout.gates, self.layout.units.full))

    def narrow_span(self, rows: int, target: Target) -> int:
        """Vectors of units in a tile of few rows: enough accumulators to hide the latency of multiply-adds."""
        gates, span = self.layout.gates, 1
        while (
            span < self.layout.units.full
            and rows * span * gates < BUSY
            and fits(rows, (span + 1) * gates, target)
        ):
            span += 1
        return span

    def parts(self, target: Target) -> int:
        """Into how many parts the recurrent sums are cut: single rows of few units need more accumulators."""
        parts = -(-BUSY // (self.narrow_span(1, target) * self.layout.gates))
        return max(1, min(parts, MOST_PARTS, self.recurrent.depth // LEAST_PART))


def most_rows(products: Sequence[Product], target: Target) -> int:
    """Rows of the highest tile that stays in registers."""
    vectors = max(product.wide_span() * product.layout.gates for product in products)
    rows = 1
    while fits(rows + 1, vectors, target):
        rows += 1
    return rows


def lower_heights(rows: int) -> list[int]:
    """Heights of tiles for what is left by tiles of `rows` rows: the half, its half, ... and 1."""
    found = []
    while rows > 1:
        rows = (rows + 1) // 2
        found.append(rows)
    return found


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
        lambda row: k.load(source, places[row] + c),
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
    k: GroupKernel, product: Product, x: Pointer, places: Sequence[Index], block: UnitBlock
) -> list[Register]:
    """bias + x[row] @ kernel for rows of features that begin at `places`."""
    initial = biases(k, product, product.bias, block, len(places))
    kinds = [product.kind(block)] * len(initial)

    def step(c: Index, *sums: Any) -> list[Any]:
        return multiply_add(k, sums, x, places, product.kernel, block, c)

    return registers(
        k, k.loop("c", 0, product.kernel.depth, step, carried=initial, kinds=kinds), kinds
    )


def recurrent_sums(
    k: GroupKernel,
    product: Product,
    source: Pointer,
    places: Sequence[Index],
    block: UnitBlock,
    initial: Sequence[Any],
) -> list[Register]:
    """initial + source[row] @ recurrent: cut into parts, the first of which begins with `initial`."""
    matrix, parts = product.recurrent, product.parts(k.target)
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
    """Memory where the sums of a tile go, to come back row by row with each gate in its register."""

    def __init__(
        self, lowering: Lowering, k: GroupKernel, products: Sequence[Product], batch: DimLike
    ) -> None:
        target = lowering.target
        vectors = max(
            product.layout.gates * max(product.wide_span(), product.narrow_span(2, target))
            for product in products
        )
        lanes = products[0].layout.units.lanes
        self.k, self.half = k, vectors * lanes
        type_ = TensorType(products[0].kernel.pointer.dtype, (batch, 2 * self.half))
        self.pointer = k.write(lowering.scratch(type_, "corner"))

    def gates(
        self,
        product: Product,
        rows: Sequence[Index],
        block: UnitBlock,
        sums: Sequence[Register],
        half: int,
    ) -> Gates:
        """The sums of a tile as gates; those of one row stay in registers where each has its own."""
        k, count, lanes = self.k, product.count(block), product.kind(block).lanes
        number = count // block.vectors
        if len(rows) == 1 and lanes == block.lanes:
            return lambda row, vector: sums[vector * number : (vector + 1) * number]

        def place(row: Index) -> Index:
            return row * (2 * self.half) + half * self.half

        for i, row in enumerate(rows):
            for slot in range(count):
                k.store(self.pointer, place(row) + slot * lanes, sums[i * count + slot])

        def load(row: Index, vector: int) -> list[Register]:
            start = place(row) + vector * number * lanes
            return [
                k.load(self.pointer, start + gate * block.lanes, block.lanes)
                for gate in range(product.layout.gates)
            ]

        return load
