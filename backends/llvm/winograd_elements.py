"""Transforming the elements of tiles, for convolution by Winograd's transforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kerac.backends.llvm.kernel import Index, Kind, Mask
from kerac.backends.llvm.window import Span, clamped_range, spans
from kerac.backends.llvm.winograd_layout import Layout
from kerac.backends.llvm.winograd_transforms import INPUTS, OUTPUTS, PRODUCTS, transform_inputs


@dataclass(frozen=True)
class _Row:
    """A row of tiles, and some channels of it: `number` counts in the band."""

    number: Index
    low: Index  # the lines of its tiles that lie inside the array
    high: Index
    line: Index  # of all images together: the first of its tiles
    chunk: Index


class ElementTransform:
    """The transform of one row of tiles after the other."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.k = layout, layout.k
        self.lines = self.k.local("lines", "f32", PRODUCTS * self.k.lanes)

    def row(self, first: Index, number: Index, chunk: Index) -> None:
        """Row `number` of the band that begins in row `first`, and a chunk of its channels."""
        k, layout, down = self.k, self.layout, self.layout.down
        through = k.add(first, number)
        rows = layout.shape.tile_rows
        image, y = k.quotient(through, rows), k.remainder(through, rows)
        low, high = clamped_range(k, down, y)
        line = k.subtract(image * k.dim(down.length) + y * OUTPUTS, k.dim(down.before))
        row = _Row(number, low, high, line, chunk)
        depth, lanes = layout.blocking.channels, k.lanes
        left = layout.channels - (layout.chunks - 1) * depth
        rest = -(-left // lanes) * lanes
        mask = k.tail_mask(left - rest + lanes, lanes)
        if rest == depth and mask is None:
            self._every_tile(row, depth, None)
            return
        last = layout.chunks - 1
        k.when(k.compare("less", chunk, last), partial(self._every_tile, row, depth, None))
        k.when(k.compare("equal", chunk, last), partial(self._every_tile, row, rest, mask))

    def _every_tile(self, row: _Row, channels: int, mask: Mask) -> None:
        for span in spans(self.layout.across, 1):
            self.k.loop(
                "tile",
                span.first,
                span.first + span.count,
                partial(self._tile, row, channels, mask, span),
            )

    def _tile(self, row: _Row, channels: int, mask: Mask, span: Span, tile: Index) -> None:
        k, layout = self.k, self.layout
        across, lanes = layout.across, k.lanes
        first = row.line * k.dim(across.length) + tile * OUTPUTS
        place = k.multiply(k.subtract(first, k.dim(across.before)), layout.pitch)
        place = k.add(place, k.multiply(row.chunk, layout.blocking.channels))
        number = row.number * layout.shape.tile_columns + tile
        target = layout.element_place(row.chunk, 0, number)

        def vector(c: Index, mask: Mask = None) -> None:
            self._along_lines(row, place + c, span.valid, mask)
            self._along_columns(target + c)

        full = channels if mask is None else channels - lanes
        k.loop("c", 0, full, vector, step=lanes)
        if mask is not None:
            vector(full, mask)

    def _along_lines(
        self, row: _Row, place: Index, valid: Sequence[Sequence[int]], mask: Mask
    ) -> None:
        """Transform along each line of a tile; those beyond the border are zeros."""
        k, lanes, layout = self.k, self.k.lanes, self.layout
        line_pitch = k.multiply(layout.pitch, k.dim(layout.across.length))
        kind = Kind("f32", lanes)

        def write(line: Index, values: Sequence[Any]) -> None:
            for j, value in enumerate(values):
                k.store(self.lines, (line * INPUTS + j) * lanes, value)

        def inside(line: Index) -> None:
            start, zero = place + line * line_pitch, k.number(0.0, kind)
            elements = [
                k.load(layout.x, start + k.multiply(layout.pitch, j), lanes, mask)
                if reached
                else zero
                for j, reached in enumerate(valid)
            ]
            # of the next tile, which may come from far away
            for j in range(INPUTS - OUTPUTS, INPUTS):
                k.prefetch(layout.x, start + k.multiply(layout.pitch, j + OUTPUTS))
            write(line, transform_inputs(k, elements))

        def outside(line: Index) -> None:
            write(line, [k.number(0.0, kind)] * INPUTS)

        k.loop("line", 0, row.low, outside)
        k.loop("line", row.low, row.high, inside)
        k.loop("line", row.high, INPUTS, outside)

    def _along_columns(self, target: Index) -> None:
        """Transform along the columns of a tile, and write the factors of its products."""
        k, lanes = self.k, self.k.lanes

        def column(j: Index) -> None:
            elements = [k.load(self.lines, (i * INPUTS + j) * lanes, lanes) for i in range(INPUTS)]
            for i, value in enumerate(transform_inputs(k, elements)):
                place = target + (i * INPUTS + j) * self.layout.element_pitch
                k.store(self.layout.elements, place, value)

        k.loop("j", 0, INPUTS, column)
