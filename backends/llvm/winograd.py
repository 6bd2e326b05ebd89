"""Convolution of 3 x 3 windows with a quarter of the multiplications, by Winograd's transforms.

Tiles of 4 x 4 results need 36 products of transformed elements and filters for each channel, where
the direct way needs 144. Bands of tiles are worked on one after the other: their elements are
transformed once; then tasks, each for a block of columns and a stripe of the band, multiply, sum,
and transform the sums back. Transformed filters are four times as large as the filters, so they are
made at every run instead of being kept in the model: some of them once for all bands, many of them
by each task, some channels at a time, into memory that stays in the cache. Where there are few, see
`winograd_stripes.py`.

The sum of each product runs over the channels in order, whatever the blocking, and a tile knows
nothing of the others, so results depend on neither the batch nor the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index
from kerac.backends.llvm.lowering import Lowering
from kerac.backends.llvm.packing import Columns
from kerac.backends.llvm.window import Axis
from kerac.backends.llvm.winograd_elements import ElementTransform, Factors, Tile
from kerac.backends.llvm.winograd_layout import Layout, Piece, Stripe
from kerac.backends.llvm.winograd_products import Products, transform_filters
from kerac.backends.llvm.winograd_results import ResultTransform, Sums
from kerac.backends.llvm.winograd_schedule import FEW_CHANNELS, FILTER
from kerac.backends.llvm.winograd_transforms import BY_FOUR, INPUTS, OUTPUTS, PRODUCTS


class Winograd:
    """One convolution by transforms under construction."""

    def __init__(
        self, lowering: Lowering, group: Group, axes: Sequence[Axis], pool: Group | None
    ) -> None:
        self.lowering, self.pool = lowering, pool
        self.layout = Layout(lowering, group, axes)
        self.k = self.layout.k
        layout = self.layout
        self.elements = ElementTransform(
            layout.k, layout.x, layout.pitch, layout.channels, BY_FOUR, *layout.windows
        )
        halves = layout.k.local("halves", "f32", OUTPUTS * INPUTS * layout.k.lanes)
        self.results = ResultTransform(layout.k, layout.shape, BY_FOUR, halves, pool)

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
        self.lowering.launch(k, *([self.pool] if self.pool else []))

    def _band(self, first: Index, rows: Index) -> None:
        """`rows` rows of tiles from `first` on, counted through all images."""
        k, layout, columns = self.k, self.layout, self.layout.shape.tile_columns
        k.parallel(
            {"row": rows, "chunk": layout.chunks},
            partial(self._row, first),
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

    def _row(self, first: Index, number: Index, chunk: Index) -> None:
        """The elements of row `number` of the band that begins in row `first`, a chunk of them."""
        k, layout = self.k, self.layout
        columns, rows = layout.shape.tile_columns, layout.shape.tile_rows
        through = k.add(first, number)
        image, row = k.quotient(through, rows), k.remainder(through, rows)
        start = k.multiply(chunk, layout.blocking.channels)
        stop = k.minimum(k.add(start, layout.blocking.channels), layout.channels)

        def one(column: Index) -> None:
            tile = k.add(k.multiply(number, columns), column)
            place = layout.element_place(chunk, 0, tile)
            factors = Factors(layout.elements, place, layout.element_pitch)
            self.elements.tile(Tile(image, row, column, start, stop), factors)

        k.loop("tile", 0, columns, one)

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
                number = k.add(k.add(piece.stripe.start, tile), r)
                number = k.add(k.multiply(piece.stripe.row, layout.shape.tile_columns), number)
                place = layout.sum_place(piece, k.add(waiting, r))
                sums = Sums(layout.sums, place, layout.sum_pitch(piece))
                self.results.tile(number, piece.part, sums)

            def every_one() -> None:
                k.loop("r", 0, height, one)

            k.when(is_last, every_one)

        done: Index = 0
        for height in layout.blocking.heights:
            some = k.quotient(k.subtract(piece.stripe.count, done), height)
            stop = k.add(done, k.multiply(some, height))
            k.loop("t", done, stop, partial(some_tiles, height), step=height)
            done = stop
