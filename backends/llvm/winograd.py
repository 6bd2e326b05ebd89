"""Convolution of 3 x 3 windows with a quarter of the multiplications, by Winograd's transforms.

Tiles of 4 x 4 results need 36 products of transformed elements and filters for each channel, where
the direct way needs 144. Bands of tiles are worked on one after the other: their elements are
transformed once; then tasks, each for a block of columns and a stripe of the band, multiply, sum,
and transform the sums back. Transformed filters are four times as large as the filters, so they are
made at every run instead of being kept in the model: few of them once for all bands, many of them
by each task, some channels at a time, into memory that stays in the cache.

The sum of each product runs over the channels in order, whatever the blocking, and a tile knows
nothing of the others, so results depend on neither the batch nor the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index
from kerac.backends.llvm.lowering import Lowering
from kerac.backends.llvm.packing import Columns, constant_array
from kerac.backends.llvm.pointwise import Part, Position
from kerac.backends.llvm.register_tiles import finish_tile
from kerac.backends.llvm.window import Axis
from kerac.backends.llvm.winograd_elements import ElementTransform
from kerac.backends.llvm.winograd_layout import Layout, Piece, Stripe
from kerac.backends.llvm.winograd_products import Products, transform_filters
from kerac.backends.llvm.winograd_schedule import FEW_CHANNELS, FILTER, Shape, is_faster
from kerac.backends.llvm.winograd_transforms import (
    INPUTS,
    OUTPUTS,
    PRODUCTS,
    WINDOW,
    transform_products,
)
from kerac.ir.graph import Value
from kerac.ir.ops.convolution import Convolution
from kerac.ir.types import known_shape


def is_transformed(
    lowering: Lowering, op: Convolution, axes: Sequence[Axis], result: Value
) -> bool:
    """Whether the transforms serve, are allowed, and are faster; the batch does not matter.

    Where they serve, faster is what an estimate says, unless something else was found.

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
        return False
    *positions, filters = known_shape(result.shape[1:])
    (channels,) = known_shape(result.operands[1].shape[2:3])
    faster = is_faster(Shape(positions[0], positions[1], channels, filters), lowering.target)
    ways = {"transformed": True, "direct": False}
    ordered = dict(sorted(ways.items(), key=lambda way: way[1] != faster))
    return lowering.schedules.choose("way", result, ordered)


class Winograd:
    """One convolution by transforms under construction."""

    def __init__(self, lowering: Lowering, group: Group, axes: Sequence[Axis]) -> None:
        self.lowering = lowering
        self.layout = Layout(lowering, group, axes)
        self.k = self.layout.k
        self.elements = ElementTransform(self.layout)
        self.halves = self.k.local("halves", "f32", OUTPUTS * INPUTS * self.k.lanes)

    def emit(self) -> None:
        """Build and launch the kernel."""
        k, layout = self.k, self.layout
        total = k.multiply(k.dim(layout.anchor.shape[0]), layout.shape.tile_rows)
        if layout.blocking.kept:
            tiles = k.multiply(total, layout.shape.tile_columns)
            are_used = k.compare("greater", tiles, layout.blocking.few_tiles)
            k.when(are_used, self._keep_filters)
        rows = layout.blocking.rows
        bands = k.quotient(k.add(total, rows - 1), rows)

        def band(number: Index) -> None:
            first = k.multiply(number, rows)
            self._band(first, k.minimum(k.subtract(total, first), rows))

        k.loop("band", 0, bands, band)
        self.lowering.launch(k)

    def _band(self, first: Index, rows: Index) -> None:
        """`rows` rows of tiles from `first` on, counted through all images."""
        k, layout, columns = self.k, self.layout, self.layout.shape.tile_columns
        k.parallel(
            {"row": rows, "chunk": layout.chunks},
            partial(self.elements.row, first),
            cost=columns * layout.blocking.channels * PRODUCTS,
        )
        work = layout.channels * PRODUCTS * layout.blocking.vectors * k.lanes
        tiles, most = k.multiply(rows, columns), layout.blocking.stripe

        def some(f: Index, number: Index) -> None:
            start = k.multiply(number, most)
            stripe = Stripe(first, tiles, start, k.minimum(k.subtract(tiles, start), most))
            layout.columns.at(f, partial(self._columns, stripe, f))

        k.parallel(
            {"f": layout.columns.count, "stripe": k.quotient(k.add(tiles, most - 1), most)},
            some,
            cost=k.multiply(k.minimum(tiles, most), work),
        )

    def _keep_filters(self) -> None:
        """Transform all filters."""
        k, layout = self.k, self.layout
        channels, some = layout.channels, k.lanes  # which divide chunks
        depth = layout.blocking.channels

        def task(f: Index, number: Index) -> None:
            first = k.multiply(number, some)
            chunk = k.quotient(first, depth)
            start = k.multiply(chunk, depth)
            count = k.minimum(some, k.subtract(channels, first)) if channels % some else some

            def part(part: Columns) -> None:
                slot = k.add(k.multiply(f, layout.chunks), chunk)
                piece = Piece(Stripe(0, 0, 0, 0), part, slot, start, depth, depth, True, False)
                transform_filters(layout, piece, k.subtract(first, start), count)

            layout.columns.at(f, part)

        k.parallel(
            {"f": layout.columns.count, "channels": -(-channels // some)},
            task,
            cost=some * layout.blocking.vectors * k.lanes * FILTER,
        )

    def _columns(self, stripe: Stripe, f: Index, part: Columns) -> None:
        """All tiles of a stripe for the columns of number `f`."""
        k, channels, few = self.k, self.layout.channels, self.layout.blocking.few_tiles

        def every(step: int, is_short: bool = False) -> None:
            def some(number: Index) -> None:
                start = k.multiply(number, step)
                count: Index = step
                if channels % step:
                    count = k.minimum(step, k.subtract(channels, start))
                # a short band is the last one, so it may write where filters were kept
                is_kept = self.layout.blocking.kept and not is_short
                kept = k.add(k.multiply(f, self.layout.chunks), number)
                slot = kept if is_kept else k.first_task
                self._piece(Piece(stripe, part, slot, start, count, step, is_kept, is_short))

            k.loop("piece", 0, -(-channels // step), some)

        if few:
            tiles, channels_at_once = stripe.band, self.layout.blocking.channels
            k.when(k.compare("less_equal", tiles, few), partial(every, FEW_CHANNELS, True))
            k.when(k.compare("greater", tiles, few), partial(every, channels_at_once))
        else:
            every(self.layout.blocking.channels)

    def _piece(self, piece: Piece) -> None:
        """Add the products of a piece to the sums, and finish the results if it is the last."""
        k, layout = self.k, self.layout
        if not piece.is_kept:
            transform_filters(layout, piece, 0, piece.count)
        products = Products(layout, piece)
        is_last = k.compare("equal", k.add(piece.start, piece.count), layout.channels)

        def some_tiles(height: int, tile: Index) -> None:
            waiting = tile if layout.waits else 0
            products.add(k.add(piece.stripe.start, tile), layout.sum_place(piece, waiting), height)

            def one(r: Index) -> None:
                self._results(piece, tile + r, layout.sum_place(piece, k.add(waiting, r)))

            def every_one() -> None:
                k.loop("r", 0, height, one)

            k.when(is_last, every_one)

        done: Index = 0
        for height in layout.blocking.heights:
            some = k.quotient(k.subtract(piece.stripe.count, done), height)
            stop = k.add(done, k.multiply(some, height))
            k.loop("t", done, stop, partial(some_tiles, height), step=height)
            done = stop

    def _results(self, piece: Piece, tile: Index, sums: Index) -> None:
        """Transform the sums of a tile back, and finish its results."""
        k, shape = self.k, self.layout.shape
        tile = k.add(piece.stripe.start, tile)
        row = piece.stripe.row + k.quotient(tile, shape.tile_columns)
        x = k.multiply(k.remainder(tile, shape.tile_columns), OUTPUTS)
        image = k.quotient(row, shape.tile_rows)
        y = k.multiply(k.remainder(row, shape.tile_rows), OUTPUTS)
        lines = k.minimum(k.subtract(shape.height, y), OUTPUTS)
        place = image * shape.height + y
        for vector in range(piece.part.vectors):
            self._along_columns(piece, sums + vector * k.lanes)
            first = k.add(piece.part.first, vector * k.lanes)
            part = Columns(first, 1, piece.part.mask_of(vector))
            k.loop("a", 0, lines, partial(self._line, place, x, part))

    def _along_columns(self, piece: Piece, sums: Index) -> None:
        k, lanes, pitch = self.k, self.k.lanes, self.layout.sum_pitch(piece)

        def column(j: Index) -> None:
            places = [sums + k.multiply(i * INPUTS + j, pitch) for i in range(INPUTS)]
            products = [k.load(self.layout.sums, place, lanes) for place in places]
            for a, value in enumerate(transform_products(k, products)):
                k.store(self.halves, (a * INPUTS + j) * lanes, value)

        k.loop("j", 0, INPUTS, column)

    def _line(self, place: Index, x: Index, part: Columns, a: Index) -> None:
        """Finish neighbouring results, those within the image."""
        k, lanes, width = self.k, self.k.lanes, self.layout.shape.width
        ndim = self.layout.anchor.ndim
        halves = [k.load(self.halves, (a * INPUTS + j) * lanes, lanes) for j in range(INPUTS)]
        certain = width % OUTPUTS or OUTPUTS  # results that even the last tile has

        def finish(value: Any, b: int) -> None:
            def position(_: int, column: Index) -> Position:
                row = Part(k.add(place, a), 0, ndim - 2)
                parts = (row, Part(k.add(x, b), ndim - 2, ndim - 1))
                return Position((*parts, Part(column, ndim - 1, ndim)))

            finish_tile(k, [value], 1, part, position)

        for b, value in enumerate(transform_products(k, halves)):
            inside = True if b < certain else k.compare("less", k.add(x, b), width)
            k.when(inside, partial(finish, value, b))
