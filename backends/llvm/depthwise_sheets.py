"""Depthwise convolution of images of fixed size: sheets of rows x positions stay in registers.

A sheet takes neighbouring positions on both axes for one vector of channels, so that each element
of the array is loaded once for all rows of the sheet that it reaches. Sheets at the border know
when the kernel is built which elements of their windows lie inside. Channels go in blocks, so that
the rows of a block stay in the first-level cache until the next sheets need them again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerac.backends.llvm.kernel import Index, Kind, Mask, Register
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.packing import Columns
from kerac.backends.llvm.pointwise import Part, Position, for_each_vector
from kerac.backends.llvm.register_tiles import finish_tile, registers
from kerac.backends.llvm.schedule import LATENCY
from kerac.backends.llvm.window import Axis, Span, spans
from kerac.ir.dims import known_dim
from kerac.ir.ops.activation import Relu, Relu6
from kerac.ir.ops.elementwise import Add, Multiply
from kerac.ir.types import computing_dtype

ROWS = 2  # of a sheet, where neighbouring rows share most of what they read
SMALL_WINDOW = 9  # elements of a window whose sheets take little code
LARGEST_WINDOW = 49  # elements of a window that is laid out at all

MANY_VECTORS = 32  # beside which one that is not full counts little
SIMPLE = (Relu, Relu6, Add, Multiply)  # of a few instructions each

Vector = tuple[Index, int, Mask]


def sheets_of(k: GroupKernel, axes: Sequence[Axis]) -> Sheets | None:
    """The sheets of a convolution, where they can be laid out now and serve better than rows.

    Where much follows the sums, or the window is large, the code of sheets is too long for their
    gain, unless a row alone does not keep the machine busy.
    """
    if len(axes) != 2 or not all(
        isinstance(axis.length, int) and isinstance(axis.positions, int) for axis in axes
    ):
        return None
    sheets, window = Sheets(k, *axes), axes[0].window * axes[1].window
    vectors, rest = divmod(sheets.channels, k.lanes)
    # a vector that is not full has code of its own
    if vectors < (MANY_VECTORS if rest else 2):
        return None
    short_row = known_dim(axes[1].positions) < 2 * LATENCY
    if window <= LARGEST_WINDOW and short_row:
        return sheets
    simple = window <= SMALL_WINDOW and (sheets.is_near or sheets.ends_simply)
    return sheets if simple else None


@dataclass(frozen=True)
class Sheets:
    """All sheets of one depthwise convolution."""

    k: GroupKernel
    vertical: Axis
    horizontal: Axis

    @property
    def channels(self) -> int:
        """Channels of the array."""
        return known_dim(self.k.group.head.shape[-1])

    def emit(self) -> None:
        """Blocks of channels, in each all sheets, in each all vectors; or rows of whole sheets."""
        k, lanes, block = self.k, self.k.lanes, self._block()
        batch, tall_spans = k.dim(k.group.head.shape[0]), list(spans(self.vertical, self._rows))
        if block is not None:
            step = block * lanes

            def part(n: Index, number: Index) -> None:
                def inside(body: Callable[[Index, int, Mask], None]) -> None:
                    first = number * step
                    k.loop("c", 0, step, lambda c: body(first + c, lanes, None), step=lanes)

                for tall in tall_spans:
                    stop = tall.first + tall.count * tall.rows

                    def row(p: Index, tall: Span = tall) -> None:
                        self._row(n, p, tall, inside)

                    k.loop("p", tall.first, stop, row, step=tall.rows)

            rows = known_dim(self.vertical.positions)
            extents = {"n": batch, "b": self.channels // step}
            k.parallel(extents, part, cost=self._cost(rows, step))
            return

        def whole(body: Callable[[Index, int, Mask], None]) -> None:
            for_each_vector(k, "c", self.channels, body)

        for tall in tall_spans:

            def one(n: Index, i: Index, tall: Span = tall) -> None:
                self._row(n, k.add(k.multiply(i, tall.rows), tall.first), tall, whole)

            cost = self._cost(tall.rows, self.channels)
            k.parallel({"n": batch, "p": tall.count}, one, cost=cost)

    def _cost(self, rows: int, channels: int) -> int:
        """Of some rows of the result, in multiply-adds."""
        window = self.vertical.window * self.horizontal.window
        return rows * known_dim(self.horizontal.positions) * channels * window * 2

    def _block(self) -> int | None:
        """Vectors of channels whose rows fit the first-level cache; None for all.

        Blocks read pieces of rows, which is dear where the array comes from beyond the
        second-level cache, and run through the code of all sheets again.
        """
        k, width = self.k, known_dim(self.horizontal.length)
        small = self.vertical.window * self.horizontal.window <= SMALL_WINDOW
        if self.channels % k.lanes or not (small and self.is_near and self.ends_simply):
            return None
        vectors = self.channels // k.lanes
        rows = (self._rows - 1) * self.vertical.stride + self.vertical.window
        most = max(1, k.target.first_level_cache * 3 // 4 // (rows * width * k.lanes * 4))
        return max(count for count in range(1, min(most, vectors) + 1) if vectors % count == 0)

    @property
    def is_near(self) -> bool:
        """Whether a sample may be found in the second-level cache."""
        places = known_dim(self.vertical.length) * known_dim(self.horizontal.length)
        return places * self.channels * 4 <= 2 * self.k.target.second_level_cache

    @property
    def ends_simply(self) -> bool:
        """Whether what follows the sums are a few instructions."""
        group = self.k.group
        activation = getattr(group.head.op, "activation", None)
        following = [activation] if activation else []
        following += [value.op for value in group.members if value is not group.anchor]
        return all(isinstance(op, SIMPLE) for op in following)

    @property
    def _rows(self) -> int:
        vertical = self.vertical
        few = vertical.stride > 1 or vertical.dilation > 1 or known_dim(vertical.positions) == 1
        return 1 if few else ROWS

    @property
    def _width(self) -> int:
        """Positions of a sheet on the last axis: its sums, a row and some weights in registers."""
        registers, window = self.k.target.vector_registers, self.horizontal.window
        stride = min(self.horizontal.stride, 2)
        most = max(1, (registers - window - self._rows) // (self._rows + stride))
        positions = known_dim(self.horizontal.positions)
        even = [width for width in range(most // 2 + 1, most + 1) if positions % width == 0]
        return even[-1] if even else -(-positions // -(-positions // most))

    def _row(
        self,
        n: Index,
        p: Index,
        tall: Span,
        vectors: Callable[[Callable[[Index, int, Mask], None]], None],
    ) -> None:
        """All sheets from row `p` of the result on."""
        for wide in spans(self.horizontal, self._width):

            def sheet(w: Index, wide: Span = wide) -> None:
                vectors(lambda *vector: self._sheet((n, p, w), tall, wide, vector))

            stop = wide.first + wide.count * wide.rows
            self.k.loop("w", wide.first, stop, sheet, step=wide.rows)

    def _sheet(
        self, place: tuple[Index, Index, Index], tall: Span, wide: Span, vector: Vector
    ) -> None:
        """The positions from `place` on, for one vector of channels."""
        k, anchor, (n, p, w), (c, lanes, mask) = self.k, self.k.group.head, place, vector
        kinds = [Kind(computing_dtype(anchor.dtype), lanes)] * (tall.rows * wide.rows)
        sums: list[Any] = [0.0] * len(kinds)
        vertical, horizontal = self.vertical, self.horizontal
        pitch = k.row_pitch(anchor.operands[0])
        top = k.subtract(n * k.dim(vertical.length) + p * vertical.stride, k.dim(vertical.before))
        left = k.subtract(w * horizontal.stride, k.dim(horizontal.before))
        start = (top * horizontal.length + left) * pitch + c
        reached: dict[int, list[tuple[int, int]]] = {}
        for element, rows in enumerate(tall.valid):
            for r in rows:
                line = r * vertical.stride + element * vertical.dilation
                reached.setdefault(line, []).append((r, element))
        for line in sorted(reached):
            base = start + line * known_dim(horizontal.length) * pitch
            self._line(base, reached[line], wide, vector, sums)

        def position(i: int, column: Index) -> Position:
            r, t = divmod(i, wide.rows)
            row = n * k.dim(vertical.positions) + p + r
            parts = (Part(row, 0, 2), Part(w + t, 2, 3), Part(column, 3, 4))
            return Position(parts)

        finish_tile(k, registers(k, sums, kinds), len(kinds), Columns(c, 1, mask), position)

    def _line(
        self,
        base: Index,
        reached: Sequence[tuple[int, int]],
        wide: Span,
        vector: Vector,
        sums: list[Any],
    ) -> None:
        """Add what one line of the array gives to the (row of the sheet, of the window) pairs."""
        k, horizontal, (c, lanes, mask) = self.k, self.horizontal, vector
        x, kernel = (k.read(operand) for operand in k.group.head.operands[:2])
        pitch = k.row_pitch(k.group.head.operands[0])
        loaded: dict[int, Register] = {}
        for e, valid in enumerate(wide.valid):
            for r, element in reached:
                at = (element * horizontal.window + e) * self.channels
                weight = k.widened(k.load(kernel, c + at, lanes, mask))
                for t in valid:
                    place = t * horizontal.stride + e * horizontal.dilation
                    if place not in loaded:
                        value = k.load(x, base + place * pitch, lanes, mask)
                        loaded[place] = k.widened(value)
                    i = r * wide.rows + t
                    sums[i] = k.fma(loaded[place], weight, sums[i])
