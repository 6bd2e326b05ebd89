"""Convolution by Winograd's transforms with few filters, which the model holds transformed.

A task takes a stripe of tiles and a block of columns from the elements to the results, so that all
between lies in the caches of one thread, and kernels share rows of an image as others do. Elements
are transformed once for all blocks of columns that the same thread works on one after the other.

The sum of each product runs over the channels in order, and a tile knows nothing of the others, so
results depend on neither the batch nor the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind
from kerac.backends.llvm.lowering import Lowering
from kerac.backends.llvm.packing import Columns, ColumnTiles, Packed, constant_array, packed_array
from kerac.backends.llvm.register_tiles import fused_multiply_add, registers
from kerac.backends.llvm.window import Axis, share_inside
from kerac.backends.llvm.winograd import Winograd
from kerac.backends.llvm.winograd_elements import ElementTransform, Factors, Tile
from kerac.backends.llvm.winograd_layout import apart, shape_of, windows_of_tiles
from kerac.backends.llvm.winograd_results import ResultTransform, Sums
from kerac.backends.llvm.winograd_schedule import (
    choose_stripes,
    direct_cycles,
    transformed_cycles,
)
from kerac.backends.llvm.winograd_transforms import BY_FOUR, BY_TWO, WINDOW, Form
from kerac.ir.graph import Value
from kerac.ir.ops.convolution import Convolution
from kerac.ir.types import TensorType


def lower_transformed(
    lowering: Lowering, group: Group, axes: Sequence[Axis], form: Form, pool: Group | None
) -> None:
    """A convolution by transforms, of the positions on `axes`, and the pooling that follows."""
    if shape_of(axes, group.head.operands[1], form).is_ready:
        _Striped(lowering, group, axes, form, pool).emit()
    else:
        Winograd(lowering, group, axes, pool).emit()


def choose_form(
    lowering: Lowering, op: Convolution, axes: Sequence[Axis], result: Value
) -> Form | None:
    """The transforms to use, if any: those serve, are allowed, and are faster.

    Where they serve, faster is what an estimate says of one image on the best of the targets, which
    share the filters, unless something else was found.

    Weights that are no constants are those of training, where gradients want the sums as they are.
    """
    fits = (
        lowering.target.winograd
        and op.groups == 1
        and result.dtype == "f32"
        and constant_array(result.operands[1]) is not None
        and len(axes) == 2
        and all(axis.window == WINDOW and axis.stride == axis.dilation == 1 for axis in axes)
        and all(isinstance(axis.length, int) for axis in axes)
    )
    if not fits:
        return None
    forms = {"transformed": BY_FOUR, "transformed by two": BY_TWO}
    kernel = result.operands[1]
    direct = direct_cycles(shape_of(axes, kernel, BY_FOUR), lowering.best)
    cycles = {"direct": direct * prod(map(share_inside, axes))}
    for name, form in forms.items():
        shape = shape_of(axes, kernel, form)
        if form is BY_FOUR or shape.is_ready:
            cycles[name] = transformed_cycles(shape, lowering.best)
    ordered = {name: forms.get(name) for name in sorted(cycles, key=lambda name: cycles[name])}
    return lowering.schedules.choose("way", result, ordered)


class _Striped:
    """One convolution under construction.

    Of the tasks that a thread does one after the other, all use the memory of the first one:
    factors: [product, tile of the stripe, channel]
    sums:    [line of a column of products, tile of the stripe, column]
    halves:  [tile of the stripe, vector, line of results, column of products]
    Sums of a column of products are transformed as soon as all of them are there.
    """

    def __init__(
        self,
        lowering: Lowering,
        group: Group,
        axes: Sequence[Axis],
        form: Form,
        pool: Group | None,
    ) -> None:
        self.lowering, self.group, self.form, self.pool = lowering, group, form, pool
        self.shape = shape_of(axes, group.head.operands[1], form)
        self.stripes = choose_stripes(self.shape, lowering.target)
        self.k = k = lowering.kernel(group)
        x = group.head.operands[0]
        self.elements = ElementTransform(
            k,
            k.read(x),
            k.row_pitch(x),
            self.shape.channels,
            form,
            *windows_of_tiles(axes, self.shape, form),
        )
        rows = form.products * self.shape.channels
        weights = k.read(lowering.constant(self._filters(), "filters"))
        self.weights = Packed(weights, rows, self.shape.filters, k.lanes)
        self.columns = ColumnTiles.of(k, self.shape.filters, self.stripes.vectors)
        self._reserve()
        self.results = ResultTransform(k, self.shape, form, self.halves, pool)

    def _filters(self) -> Any:
        """Transformed and packed; each array only once."""
        array = constant_array(self.group.head.operands[1])
        key = ("transformed", id(array), self.form.outputs)
        packed = self.lowering.packed
        if array is not None and key not in packed:
            packed[key] = self.form.transformed(array)
        return packed_array(self.lowering, packed[key], 1)

    def _reserve(self) -> None:
        k, most = self.k, self.stripes.heights[0]
        self.depth = -(-self.shape.channels // k.lanes) * k.lanes
        self.factor_pitch = apart(most * self.depth)
        self.sum_pitch = apart(most * self.stripes.vectors * k.lanes)
        slots, form = self.stripes.at_once * self.columns.count, self.form
        self.half = form.outputs * form.inputs * k.lanes  # elements of a tile and a vector
        self.halves_size = most * self.stripes.vectors * self.half

        def memory(name: str, size: int) -> Any:
            type_ = TensorType("f32", (slots, size))
            return k.write(self.lowering.scratch(type_, name))

        self.factors = memory("elements", form.products * self.factor_pitch)
        self.sums = memory("sums", form.inputs * self.sum_pitch)
        self.halves = memory("halves", self.halves_size)

    def emit(self) -> None:
        """Build and launch the kernel."""
        k, shape, at_once, most = self.k, self.shape, self.stripes.at_once, self.stripes.heights[0]
        tiles = k.multiply(k.dim(self.group.head.shape[0]), shape.tiles)
        stripes = k.quotient(k.add(tiles, most - 1), most)

        def band(number: Index) -> None:
            start = k.multiply(number, at_once)

            def task(stripe: Index, f: Index) -> None:
                first = k.multiply(k.add(start, stripe), most)
                count: Index = most
                if shape.tiles % most:
                    count = k.minimum(most, k.subtract(tiles, first))
                self._task(stripe, f, first, count)

            columns = self.stripes.vectors * k.lanes
            cost = most * self.form.products * shape.channels * columns
            count = k.minimum(at_once, k.subtract(stripes, start))
            k.parallel({"stripe": count, "f": self.columns.count}, task, cost=cost)

        k.loop("band", 0, k.quotient(k.add(stripes, at_once - 1), at_once), band)
        self.lowering.launch(k, *([self.pool] if self.pool else []))

    def _task(self, stripe: Index, f: Index, first: Index, count: Index) -> None:
        """`count` tiles from `first` on, for a block of columns."""
        k, blocks = self.k, self.columns.count
        number = k.add(k.multiply(stripe, blocks), f)

        def transform() -> None:
            k.loop("tile", 0, count, lambda tile: self._transform(first, tile))

        # for the first block of columns, and for the first task of this thread
        is_new = k.compare("equal", k.multiply(f, k.subtract(number, k.first_task)), 0)
        k.when(True if blocks == 1 else is_new, transform)
        self.columns.at(f, lambda part: self._columns(part, first, count))

    def _transform(self, first: Index, tile: Index) -> None:
        """The elements of a tile, counted in its stripe that begins with the tile `first`."""
        k, shape = self.k, self.shape
        row = k.quotient(k.add(first, tile), shape.tile_columns)
        column = k.remainder(k.add(first, tile), shape.tile_columns)
        image, row = k.quotient(row, shape.tile_rows), k.remainder(row, shape.tile_rows)
        slot = self._slot(self.form.products * self.factor_pitch)
        place = k.add(slot, k.multiply(tile, self.depth))
        factors = Factors(self.factors, place, self.factor_pitch)
        self.elements.tile(Tile(image, row, column, 0, shape.channels), factors)

    def _slot(self, size: int) -> Index:
        """Where memory of this thread begins in what has `size` elements for each."""
        slot: Index = self.k.multiply(self.k.first_task, size)
        return slot

    def _columns(self, part: Columns, first: Index, count: Index) -> None:
        """The products of some tiles, and their results, for a block of columns."""
        k, inputs = self.k, self.form.inputs
        done: Index = 0
        for height in self.stripes.heights:
            some = k.quotient(k.subtract(count, done), height)
            stop = k.add(done, k.multiply(some, height))

            def tiles(tile: Index, height: int = height) -> None:
                def column(j: Index) -> None:
                    def product(i: Index) -> None:
                        self._product(part, i, j, tile, height)

                    k.loop("i", 0, inputs, product)
                    k.loop("r", 0, height, lambda r: self._column(part, j, r, k.add(tile, r)))

                k.loop("j", 0, inputs, column)

            k.loop("t", done, stop, tiles, step=height)
            done = stop

        def result(tile: Index) -> None:
            for vector in range(part.vectors):
                self.results.lines(k.add(first, tile), part, vector, self._half(tile, vector))

        k.loop("tile", 0, count, result)

    def _product(self, part: Columns, i: Index, j: Index, tile: Index, height: int) -> None:
        """One product of some tiles, summed over all channels."""
        k, channels = self.k, self.shape.channels
        kinds = [Kind("f32", k.lanes)] * (height * part.vectors)
        e = k.add(k.multiply(j, self.form.inputs), i)
        factors = self._slot(self.form.products * self.factor_pitch)
        factors = k.add(factors, k.multiply(e, self.factor_pitch))
        factors = k.add(factors, k.multiply(tile, self.depth))
        row = k.multiply(e, channels)

        def channel(c: Index, *sums: Any) -> list[Any]:
            return fused_multiply_add(
                sums,
                range(height),
                part.vectors,
                lambda r: k.load(self.factors, factors + c + r * self.depth),
                lambda vector: self.weights.load(k, part, vector, k.add(row, c)),
            )

        sums = k.loop("c", 0, channels, channel, carried=[0.0] * len(kinds), kinds=kinds)
        place = self._sum_place(i)
        for at, value in enumerate(registers(k, sums, kinds)):
            k.store(self.sums, k.add(place, at * k.lanes), value)

    def _column(self, part: Columns, j: Index, r: Index, tile: Index) -> None:
        """Transform a column of the products of a tile, the `r`th whose sums there are."""
        k, place = self.k, self._sum_place(0)
        for vector in range(part.vectors):
            at = k.add(place, k.multiply(k.add(k.multiply(r, part.vectors), vector), k.lanes))
            target = k.add(self._half(tile, vector), k.multiply(j, k.lanes))
            self.results.column(Sums(self.sums, at, self.sum_pitch), target)

    def _sum_place(self, i: Index) -> Index:
        k = self.k
        slot = self._slot(self.form.inputs * self.sum_pitch)
        place: Index = k.add(slot, k.multiply(i, self.sum_pitch))
        return place

    def _half(self, tile: Index, vector: int) -> Index:
        k = self.k
        number = k.add(k.multiply(tile, self.stripes.vectors), vector)
        place: Index = k.add(self._slot(self.halves_size), k.multiply(number, self.half))
        return place
