"""Products of matrices: which rows, columns and steps of the sum a task takes, and in which order.

The sum over the steps c of a result has one order, from the first to the last, however many rows
and columns are summed together and however the steps are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from kerac.backends.llvm.kernel import Index, Kind, Pointer, Register
from kerac.backends.llvm.lowering import LINE, GroupKernel
from kerac.backends.llvm.packing import Columns, ColumnTiles, WeightMatrix
from kerac.backends.llvm.pointwise import Part, Position
from kerac.backends.llvm.register_tiles import (
    MANY_ROWS,
    finish_tile,
    fused_multiply_add,
    over_tiles,
    registers,
    symbolic_columns,
    tiles_over_rows,
)
from kerac.backends.llvm.schedule import (
    BLOCK,
    Tile,
    choose_tile,
    collide,
    likely_tiles,
    small_rows,
)
from kerac.ir.dims import DimLike
from kerac.ir.types import Shape, computing_dtype, numpy_dtype

TOGETHER = 8192  # bytes of sums that wait in memory while their tiles take turns


@dataclass(frozen=True)
class Left:
    """The left side: element (n, m, c) lies at n * matrix + m * row + c * inner.

    Dense rows may be fetched ahead where there are so many that they come from afar.
    """

    pointer: Pointer
    matrix: Index
    row: Index
    inner: Index = 1
    is_far: bool = False


@dataclass(frozen=True)
class Right:
    """The right side: one matrix for all n, or (n, c, f) from n * matrix elements on."""

    weights: WeightMatrix
    matrix: Index = 0

    def at(self, n: Index) -> WeightMatrix:
        """The matrix of one n."""
        return replace(self.weights, start=n * self.matrix) if self.matrix else self.weights


@dataclass(frozen=True)
class Rows:
    """All rows of a product as `outer` times `inner`, whose axes begin with number `axis`."""

    outer: DimLike
    inner: DimLike
    axis: int


def split_rows(leading: Shape) -> Rows:
    """Inner rows that are a fixed number worth tiling for itself, or else all rows."""
    fixed = 1
    for place in range(len(leading) - 1, -1, -1):
        dim = leading[place]
        if not isinstance(dim, int):
            outer = prod(leading[: place + 1], start=1)
            return Rows(outer, fixed, place + 1) if fixed >= 8 else Rows(1, outer * fixed, 0)
        fixed *= dim
    return Rows(1, fixed, 0)


@dataclass(frozen=True)
class Product:
    """y[n, m, f] = finish(sum over c of left[n, m, c] * right[n, c, f])"""

    k: GroupKernel
    left: Left
    right: Right
    rows: Rows
    columns: DimLike
    depth: Index

    def emit(self) -> None:
        """All loops of the product."""
        k, columns, inner = self.k, self.columns, self.rows.inner
        vectors = -(-columns // k.lanes) if isinstance(columns, int) else 4
        height = inner if isinstance(inner, int) else MANY_ROWS
        row_bytes = self.left.row * 4 if isinstance(self.left.row, int) else 4
        extents = (self.rows.outer, inner)
        if not isinstance(columns, int):
            tile = choose_tile(k.target, height, vectors, row_bytes)
            symbolic_columns(k, tile, extents, k.dim(columns), self.whole)
            return
        tiles = likely_tiles(k.target, height, vectors, row_bytes)
        if collide(row_bytes):  # low tiles read weights often, so that these should be near
            narrow = {name: t for name, t in tiles.items() if t.vectors * k.lanes <= BLOCK}
            tiles = narrow or tiles
        tile = k.lowering.schedules.choose("tile", k.group.head, tiles)
        if collide(row_bytes) and self._is_deep(tile):
            many = k.compare("greater_equal", k.dim(inner), tile.rows)
            k.when(many, lambda: self._in_turns(tile, columns))
            few = k.compare("less", k.dim(inner), tile.rows)
            k.when(few, lambda: tiles_over_rows(k, tile, extents, columns, self.depth, self.whole))
        else:
            tiles_over_rows(k, tile, extents, columns, self.depth, self.whole)

    def whole(self, n: Index, first: Index, height: int, part: Columns) -> None:
        """A tile from the first step of its sums to the last."""
        sums = [0.0] * (height * part.vectors)
        self.finish(n, first, height, part, self.add(n, first, height, part, sums, 0, self.depth))

    def add(
        self,
        n: Index,
        first: Index,
        height: int,
        part: Columns,
        sums: Sequence[Any],
        start: Index,
        stop: Index,
    ) -> Sequence[Any]:
        """Some steps of the sums of a tile."""
        k, left = self.k, self.left
        place = k.add(k.multiply(n, left.matrix), k.multiply(first, left.row))
        weights = self.right.at(n)
        line = LINE // numpy_dtype(left.pointer.dtype).itemsize

        def step(c: Index, *sums: Any) -> list[Any]:
            if left.is_far:  # the rows of the next tile lie behind these, and come line after line
                k.prefetch(left.pointer, place + height * left.row + c * line)
            return fused_multiply_add(
                sums,
                range(height),
                part.vectors,
                lambda row: k.load(left.pointer, place + c * left.inner + row * left.row),
                lambda vector: weights.load(k, part, vector, c),
            )

        kinds = [self.kind] * len(sums)
        return registers(k, k.loop("c", start, stop, step, carried=sums, kinds=kinds), kinds)

    def finish(
        self, n: Index, first: Index, height: int, part: Columns, sums: Sequence[Any]
    ) -> None:
        """What becomes of the sums of a tile."""
        k, axis, ndim = self.k, self.rows.axis, self.k.group.head.ndim

        def position(row: int, column: Index) -> Position:
            outer = [Part(n, 0, axis)] if axis else []
            inner = Part(first + row, axis, ndim - 1)
            return Position((*outer, inner, Part(column, ndim - 1, ndim)))

        finish_tile(k, sums, height, part, position)

    @property
    def kind(self) -> Kind:
        """What a register of sums holds."""
        return Kind(computing_dtype(self.k.group.head.dtype), self.k.lanes)

    def _steps_of_a_turn(self, tile: Tile) -> int:
        """Steps whose weights stay in the second-level cache while rows take turns."""
        target = self.k.target
        return max(1, target.second_level_cache // (4 * tile.vectors * target.vector_bytes))

    def _is_deep(self, tile: Tile) -> bool:
        """Whether tiles, one below the other, would read their weights from afar each time."""
        if not isinstance(self.depth, int) or tile.rows == 1:
            return False
        return self.depth >= 2 * self._steps_of_a_turn(tile)

    def _in_turns(self, tile: Tile, columns: int) -> None:
        """Some tiles take turns with the same part of the weights; between, sums are in memory."""
        k = self.k
        width = tile.vectors * k.lanes
        rows = tile.rows * max(1, TOGETHER // (4 * width * tile.rows))
        blocks, total = ColumnTiles.of(k, columns, tile.vectors), k.dim(self.rows.inner)
        memory = k.local("sums", self.kind.dtype, rows * width)
        heights = [tile.rows, *(small.rows for small in small_rows(k.target, tile))]

        def task(n: Index, f: Index, m: Index) -> None:
            top = k.multiply(m, rows)
            bottom = k.minimum(k.add(top, rows), total)

            def block(part: Columns) -> None:
                _Turns(self, memory, n, part, top, bottom).emit(heights, steps)

            blocks.at(f, block)

        steps = self._steps_of_a_turn(tile)
        count = k.quotient(k.add(total, rows - 1), rows)
        cost = k.multiply(self.depth, k.minimum(total, rows) * width)
        k.parallel({"n": k.dim(self.rows.outer), "f": blocks.count, "m": count}, task, cost=cost)


@dataclass(frozen=True)
class _Turns:
    """Rows `top` to `bottom` of a block of columns, whose sums are in memory between turns."""

    product: Product
    memory: Pointer
    n: Index
    part: Columns
    top: Index
    bottom: Index

    def emit(self, heights: Sequence[int], steps: int) -> None:
        """Turn after turn, each with a number of steps for all rows."""
        product, k = self.product, self.product.k
        depth = product.depth

        def turn(start: Index) -> None:
            stop = k.minimum(k.add(start, steps), depth)

            def tile(rows: Sequence[Index]) -> None:
                sums = product.add(
                    self.n, rows[0], len(rows), self.part, self._load(rows), start, stop
                )
                self._store(rows, sums)

            over_tiles(k, self.top, self.bottom, heights, tile)

        def begin(rows: Sequence[Index]) -> None:
            self._store(rows, [k.number(0.0, product.kind)] * self.part.vectors)

        def finish(rows: Sequence[Index]) -> None:
            product.finish(self.n, rows[0], 1, self.part, self._load(rows))

        over_tiles(k, self.top, self.bottom, [1], begin)
        k.loop("turn", 0, depth, turn, step=steps)
        over_tiles(k, self.top, self.bottom, [1], finish)

    def _place(self, row: Index, vector: int) -> Index:
        lanes = self.product.k.lanes
        place: Index = (row - self.top) * (self.part.vectors * lanes) + vector * lanes
        return place

    def _load(self, rows: Sequence[Index]) -> list[Register]:
        k, vectors = self.product.k, range(self.part.vectors)
        return [k.load(self.memory, self._place(row, v), k.lanes) for row in rows for v in vectors]

    def _store(self, rows: Sequence[Index], sums: Sequence[Any]) -> None:
        for number, value in enumerate(sums):
            row, vector = divmod(number, self.part.vectors)
            self.product.k.store(self.memory, self._place(rows[row], vector), value)
