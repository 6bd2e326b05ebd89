"""Transforming sums of products back to results, for convolution by Winograd's transforms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Pointer
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.packing import Columns
from kerac.backends.llvm.pointwise import Part, Position
from kerac.backends.llvm.pooled import SIDE, Pooled
from kerac.backends.llvm.register_tiles import finish_tile
from kerac.backends.llvm.winograd_schedule import Shape
from kerac.backends.llvm.winograd_transforms import Form
from kerac.ir.dims import known_dim


@dataclass(frozen=True)
class Sums:
    """The sums of a tile: those of a product lie `pitch` elements from the next one's."""

    pointer: Pointer
    place: Index
    pitch: Index


@dataclass(frozen=True)
class _Tile:
    """Where the results of a tile go, for a vector of columns, and where its halves are."""

    image: Index
    y: Index
    x: Index
    part: Columns
    start: Index


class ResultTransform:
    """The transform of one tile after the other, and what is done with its results.

    `halves` holds what is transformed along columns: [line of the results, column of the products].
    A `pool` may follow, of whose windows each lies in a tile.
    """

    def __init__(
        self, k: GroupKernel, shape: Shape, form: Form, halves: Pointer, pool: Group | None
    ) -> None:
        self.k, self.shape, self.form, self.halves = k, shape, form, halves
        self.pooled = None if pool is None else Pooled(k, pool)

    def tile(self, number: Index, part: Columns, sums: Sums) -> None:
        """Finish the results of a tile, counted through all images, for some columns."""
        k, inputs = self.k, self.form.inputs

        def column(vector: int, j: Index) -> None:
            place = k.add(sums.place, k.multiply(k.multiply(sums.pitch, inputs), j))
            some = Sums(sums.pointer, k.add(place, vector * k.lanes), sums.pitch)
            self.column(some, k.multiply(j, k.lanes))

        for vector in range(part.vectors):
            k.loop("j", 0, inputs, partial(column, vector))
            self.lines(number, part, vector, 0)

    def column(self, sums: Sums, target: Index) -> None:
        """Transform a column of the products; `target` is the place of its first half."""
        k, inputs = self.k, self.form.inputs
        places = [k.add(sums.place, k.multiply(sums.pitch, i)) for i in range(inputs)]
        products = [k.load(sums.pointer, place, k.lanes) for place in places]
        for a, value in enumerate(self.form.transform_products(k, products)):
            k.store(self.halves, k.add(target, a * inputs * k.lanes), value)

    def lines(self, number: Index, part: Columns, vector: int, start: Index) -> None:
        """Finish the results of a tile, counted through all images, whose halves are at `start`."""
        k, shape, outputs = self.k, self.shape, self.form.outputs
        row = k.quotient(number, shape.tile_columns)
        x = k.multiply(k.remainder(number, shape.tile_columns), outputs)
        image = k.quotient(row, shape.tile_rows)
        y = k.multiply(k.remainder(row, shape.tile_rows), outputs)
        lines: Index = outputs
        if shape.height % outputs:
            lines = k.minimum(k.subtract(shape.height, y), outputs)
        first = k.add(part.first, vector * k.lanes)
        tile = _Tile(image, y, x, Columns(first, 1, part.mask_of(vector)), start)
        if self.pooled is None:
            k.loop("a", 0, lines, partial(self._line, tile))
        else:
            windows = partial(self._windows, tile, self.pooled)
            k.loop("a", 0, lines, windows, step=SIDE)

    def _line(self, tile: _Tile, a: Index) -> None:
        """Finish neighbouring results, those within the image."""

        def finish(value: Any, b: int) -> None:
            finish_tile(self.k, [value], 1, tile.part, lambda _, __: self._place(tile, a, b))

        for b, value in enumerate(self._sums(tile, a)):
            self.k.when(self._is_inside(tile, b), partial(finish, value, b))

    def _windows(self, tile: _Tile, pooled: Pooled, a: Index) -> None:
        """Finish the maxima over windows of results of two lines."""
        k, mask = self.k, tile.part.mask
        lines = [self._sums(tile, a), self._sums(tile, k.add(a, 1))]

        def finish(b: int) -> None:
            results = [
                (lines[i][b + j], self._place(tile, k.add(a, i), b + j))
                for i in range(SIDE)
                for j in range(SIDE)
            ]
            place = pooled.place(tile.image, k.add(tile.y, a), k.add(tile.x, b), tile.part.first)
            pooled.finish(pooled.maximum(results, mask), results[0][1], place, mask)

        for b in range(0, self.form.outputs, SIDE):
            k.when(self._is_inside(tile, b), partial(finish, b))

    def _sums(self, tile: _Tile, a: Index) -> list[Any]:
        """The sums of the results of a line."""
        k, inputs = self.k, self.form.inputs
        start = k.add(tile.start, k.multiply(a, inputs * k.lanes))
        halves = [k.load(self.halves, k.add(start, j * k.lanes), k.lanes) for j in range(inputs)]
        return self.form.transform_products(k, halves)

    def _is_inside(self, tile: _Tile, b: int) -> Any:
        """Whether a column of results lies in the image."""
        width, outputs = self.shape.width, self.form.outputs
        certain = width % outputs or outputs  # those that even the last tile has
        return b < certain or self.k.compare("less", self.k.add(tile.x, b), width)

    def _place(self, tile: _Tile, a: Index, b: int) -> Position:
        k, anchor = self.k, self.k.group.head
        ndim, height = anchor.ndim, known_dim(anchor.shape[1])
        row = k.add(k.multiply(tile.image, height), k.add(tile.y, a))
        parts = (Part(row, 0, ndim - 2), Part(k.add(tile.x, b), ndim - 2, ndim - 1))
        return Position((*parts, Part(tile.part.first, ndim - 1, ndim)))
