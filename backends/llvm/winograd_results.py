"""Transforming sums of products back to results, for convolution by Winograd's transforms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from kerac.backends.llvm.kernel import Index, Pointer
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.packing import Columns
from kerac.backends.llvm.pointwise import Part, Position
from kerac.backends.llvm.register_tiles import finish_tile
from kerac.backends.llvm.winograd_schedule import Shape
from kerac.backends.llvm.winograd_transforms import Form


@dataclass(frozen=True)
class Sums:
    """The sums of a tile: those of a product lie `pitch` elements from the next one's."""

    pointer: Pointer
    place: Index
    pitch: Index


class ResultTransform:
    """The transform of one tile after the other, and what is done with its results.

    `halves` holds what is transformed along columns: [line of the results, column of the products].
    """

    def __init__(self, k: GroupKernel, shape: Shape, form: Form, halves: Pointer) -> None:
        self.k, self.shape, self.form, self.halves = k, shape, form, halves

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
        place = image * shape.height + y
        first = k.add(part.first, vector * k.lanes)
        one = Columns(first, 1, part.mask_of(vector))
        k.loop("a", 0, lines, partial(self._line, place, x, one, start))

    def _line(self, place: Index, x: Index, part: Columns, start: Index, a: Index) -> None:
        """Finish neighbouring results, those within the image."""
        k, lanes, width, form = self.k, self.k.lanes, self.shape.width, self.form
        ndim = k.group.head.ndim
        start = k.add(start, k.multiply(a, form.inputs * lanes))
        halves = [k.load(self.halves, k.add(start, j * lanes), lanes) for j in range(form.inputs)]
        certain = width % form.outputs or form.outputs  # results that even the last tile has

        def finish(value: Any, b: int) -> None:
            def position(_: int, column: Index) -> Position:
                row = Part(k.add(place, a), 0, ndim - 2)
                parts = (row, Part(k.add(x, b), ndim - 2, ndim - 1))
                return Position((*parts, Part(column, ndim - 1, ndim)))

            finish_tile(k, [value], 1, part, position)

        for b, value in enumerate(form.transform_products(k, halves)):
            inside = True if b < certain else k.compare("less", k.add(x, b), width)
            k.when(inside, partial(finish, value, b))
