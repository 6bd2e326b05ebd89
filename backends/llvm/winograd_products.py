"""Transforming filters, and the products of transformed elements and filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerac.backends.llvm.kernel import INDEX, Index, Kind
from kerac.backends.llvm.register_tiles import fused_multiply_add, registers
from kerac.backends.llvm.winograd_layout import LINE, Layout, Piece
from kerac.backends.llvm.winograd_schedule import FEW_CHANNELS
from kerac.backends.llvm.winograd_transforms import INPUTS, PRODUCTS, WINDOW, transform_filter

TAPS = WINDOW**2
AHEAD = 4  # short pieces: what takes longer than memory needs to answer


def transform_filters(layout: Layout, piece: Piece, first: Index, count: Index) -> None:
    """Transform the filters of a piece, for `count` of its channels from its `first` on."""
    k, lanes = layout.k, layout.k.lanes
    width = piece.part.vectors * lanes
    start = k.multiply(piece.slot, layout.filter_size)
    pitch, step = piece.filter_pitches(width)

    def vector_of(channel: Index, vector: int) -> None:
        lines = []
        for i in range(WINDOW):
            rows = [k.add(channel, (i * WINDOW + j) * layout.channels) for j in range(WINDOW)]
            taps = [layout.weights.load(k, piece.part, vector, row) for row in rows]
            lines.append(transform_filter(k, taps))
        for j in range(INPUTS):
            for i, value in enumerate(transform_filter(k, [line[j] for line in lines])):
                place = start + k.multiply(k.subtract(channel, piece.start), step)
                k.store(layout.factors, place + ((j * INPUTS + i) * pitch + vector * lanes), value)

    def channel(c: Index) -> None:
        for vector in range(piece.part.vectors):
            vector_of(k.add(piece.start, c), vector)

    k.loop("c", first, k.add(first, count), channel)


class Products:
    """The products of one piece, added to the sums."""

    def __init__(self, layout: Layout, piece: Piece) -> None:
        self.layout, self.piece, self.k = layout, piece, layout.k
        self.vectors = piece.part.vectors
        self.width = self.vectors * layout.k.lanes

    def add(self, tile: Index, sums: Index, height: int) -> None:
        """Those of `height` tiles from `tile` on, whose sums lie from `sums` on."""
        self.k.loop("e", 0, PRODUCTS, lambda e: self._product(e, tile, sums, height))

    def _product(self, e: Index, tile: Index, sums: Index, height: int) -> None:
        k, piece, layout, lanes = self.k, self.piece, self.layout, self.k.lanes
        depth = layout.blocking.channels
        chunk = k.quotient(piece.start, depth)
        elements = layout.element_place(chunk, e, tile)
        elements = k.add(elements, k.subtract(piece.start, k.multiply(chunk, depth)))
        pitch, step = piece.filter_pitches(self.width)
        factors = k.multiply(piece.slot, layout.filter_size) + e * pitch
        first = sums + e * layout.sum_pitch(piece)
        places = [first + at * lanes for at in range(height * self.vectors)]
        if not piece.is_kept:
            k.when(k.compare("equal", tile, 0), lambda: self._prefetch(e))

        def channel(c: Index, *sums: Any) -> list[Any]:
            return fused_multiply_add(
                sums,
                range(height),
                self.vectors,
                lambda r: k.load(layout.elements, elements + c + r * depth),
                lambda vector: k.load(
                    layout.factors, factors + k.multiply(c, step) + vector * lanes, lanes
                ),
            )

        self._summed(places, channel)

    def _summed(self, places: Sequence[Index], channel: Any) -> None:
        """Add what `channel` adds for all channels of the piece."""
        k, piece, layout = self.k, self.piece, self.layout
        kinds = [Kind("f32", k.lanes)] * len(places)
        sums: Sequence[Any] = [0.0] * len(places)
        if layout.waits:
            is_first = k.compare("equal", piece.start, 0)
            sums = [k.select(is_first, 0.0, k.load(layout.sums, p, k.lanes)) for p in places]
        if piece.is_short:
            for c in range(FEW_CHANNELS):
                sums = channel(c, *sums)
        else:
            sums = k.loop("c", 0, piece.count, channel, carried=sums, kinds=kinds)
        for place, value in zip(places, registers(k, sums, kinds), strict=True):
            k.store(layout.sums, place, value)

    def _prefetch(self, e: Index) -> None:
        """Ask for a part of the next filters: of the channels after these, or the next columns."""
        k, piece, layout = self.k, self.piece, self.layout
        ahead = AHEAD if piece.is_short else 1
        following = k.add(piece.start, k.multiply(piece.count, ahead))
        beyond = k.compare("greater_equal", following, layout.channels)
        following = k.select(
            beyond, k.add(following, (TAPS - 1) * layout.channels), following, INDEX
        )
        parts = PRODUCTS // TAPS
        share = k.quotient(k.add(piece.count, parts - 1), parts)
        start = k.add(k.multiply(k.quotient(e, parts), layout.channels), following)
        start = k.add(start, k.multiply(k.remainder(e, parts), share))

        def row(number: Index) -> None:
            place = layout.weights.place(piece.part, 0, k.add(start, number))
            for line in range(0, self.width, LINE):
                k.prefetch(layout.weights.pointer, k.add(place, line))

        k.loop("row", 0, share, row)
