"""Maximum and mean over windows: vectors run over channels, what windows share is combined once.

A tile takes R neighbouring positions of the last spatial axis. First each column that they reach is
combined along all other axes of the window, then each position combines its columns. Padding takes
no part: leading axes walk the part of the window that lies inside, tiles at the border of the last
axis know their columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.pointwise import Part, Position, for_each_vector
from kerac.backends.llvm.reduction import Combination
from kerac.backends.llvm.window import (
    Axis,
    Reached,
    clamped_range,
    leading_extents,
    over_last_axis,
    over_leading_window,
    row_number,
    window_axes,
)
from kerac.ir.graph import Value
from kerac.ir.ops.pooling import AveragePool, MaxPool, Pool
from kerac.ir.ops.reduction import ReduceMax, ReduceSum
from kerac.ir.types import computing_dtype

WIDE_WINDOW = 15  # elements on the last axis, above which positions are computed one by one


@lowers(MaxPool, AveragePool, reads_pieces=(0,))
def lower_pooling(lowering: Lowering, group: Group) -> None:
    """y[n, p, c] = maximum or mean over e of x[n, p * stride + e, c]"""
    anchor = group.head
    op, x = group.head_op(Pool), anchor.operands[0]
    axes = window_axes(
        x.shape[1:-1],
        op.window,
        op.strides,
        (1,) * len(op.window),
        op.padding,
        anchor.shape[1:-1],
    )
    k = lowering.kernel(group)
    pool = _Pool(k, anchor, k.read(x), axes)
    last = axes[-1]
    laid_out = isinstance(last.positions, int) and isinstance(last.length, int)
    tiled = last.window <= WIDE_WINDOW and (laid_out or not last.padded)
    window = prod(op.window, start=ELEMENT)
    inside = anchor.shape[-1] * (last.positions if tiled else 1)
    k.parallel(
        {"n": k.dim(anchor.shape[0]), **leading_extents(k, axes[:-1] if tiled else axes)},
        pool.tiles if tiled else pool.position,
        cost=k.dim(window * inside),
    )
    lowering.launch(k)


@dataclass(frozen=True)
class _Pool:
    """One pooling under construction."""

    k: GroupKernel
    anchor: Value
    x: Pointer
    axes: Sequence[Axis]

    @property
    def dtype(self) -> str:
        return computing_dtype(self.anchor.dtype)

    @property
    def combination(self) -> Combination:
        meaning = ReduceMax(()) if isinstance(self.anchor.op, MaxPool) else ReduceSum(())
        return Combination.of(meaning, self.dtype)

    def tiles(self, n: Index, *positions: Index) -> None:
        """All tiles along the last axis, of one sample and one place on the other axes."""
        last, rows = self.axes[-1], self._tile_rows()
        row = row_number(self.k, self.axes[:-1], positions)

        def tile(first: Index, height: int, valid: Reached | None) -> None:
            reached = valid or [range(height)] * last.window
            for_each_vector(
                self.k,
                "c",
                self.anchor.shape[-1],
                lambda c, lanes, mask: self._tile(
                    n, list(positions), row, first, reached, height, (c, lanes, mask)
                ),
            )

        over_last_axis(self.k, last, rows, tile)

    def _tile_rows(self) -> int:
        """As many positions as the registers hold columns for; tiles of equal height."""
        last = self.axes[-1]
        most = max(1, (self.k.target.vector_registers - 6 - last.window) // last.stride + 1)
        if not isinstance(last.positions, int) or last.positions <= 0:
            return most
        return -(-last.positions // -(-last.positions // most))

    @property
    def _pitch(self) -> Index:
        """Elements from position to position of the array."""
        return self.k.row_pitch(self.anchor.operands[0])

    def _load(self, place: Index, lanes: int, mask: Mask) -> Register:
        return self.k.convert(self.k.load(self.x, place, lanes, mask), self.dtype)

    def _tile(
        self,
        n: Index,
        positions: list[Index],
        row: Index,
        first: Index,
        reached: Reached,
        height: int,
        vector: tuple[Index, int, Mask],
    ) -> None:
        """`height` positions of the last axis; reached[e] are those whose element e lies inside."""
        k, combine, last, leading = self.k, self.combination, self.axes[-1], self.axes[:-1]
        (c, lanes, mask), pitch = vector, self._pitch
        columns = sorted({r * last.stride + e for e, rows in enumerate(reached) for r in rows})
        kinds = [Kind(self.dtype, lanes)] * len(columns)
        array_rows = k.dim(prod((axis.length for axis in leading), start=1))

        def line(array_row: Index, _: Index, found: Sequence[Any]) -> list[Any]:
            start = (n * array_rows + array_row) * k.dim(last.length) + first * last.stride
            base = k.multiply(k.subtract(start, k.dim(last.before)), pitch)
            return [
                combine(k, self._load(base + c + k.multiply(pitch, column), lanes, mask), value)
                for column, value in zip(columns, found, strict=True)
            ]

        combined = over_leading_window(
            k, leading, positions, line, [combine.neutral] * len(columns), kinds
        )
        of_column = dict(zip(columns, combined, strict=True))
        for r in range(height):
            elements = [e for e, rows in enumerate(reached) if r in rows]
            value: Any = combine.neutral
            for e in elements:
                value = combine(k, of_column[r * last.stride + e], value)
            count = len(elements)
            for axis, position in zip(leading, positions, strict=True):
                low, high = clamped_range(k, axis, position)
                count = k.multiply(k.subtract(high, low), count)
            self._finish(value, count, (n, row, first + r, c), lanes, mask)

    def _finish(
        self,
        value: Any,
        count: Index,
        place: tuple[Index, Index, Index, Index],
        lanes: int,
        mask: Mask,
    ) -> None:
        """The mean of `count` elements where it is wanted.

        `place` is sample, leading positions, last position, channel.
        """
        k, ndim = self.k, self.anchor.ndim
        if not isinstance(value, Register):
            value = k.number(value, Kind(self.dtype, lanes))
        if isinstance(self.anchor.op, AveragePool):
            if isinstance(count, Register):
                value = value * (1.0 / k.convert(count, self.dtype))
            else:
                value = value * (1.0 / count if count else float("nan"))
        n, row, position, c = place
        outer = k.dim(prod(self.anchor.shape[1:-2], start=1))
        parts = (Part(n * outer + row, 0, ndim - 2), Part(position, ndim - 2, ndim - 1))
        k.finish(
            k.convert(value, self.anchor.dtype),
            Position((*parts, Part(c, ndim - 1, ndim))),
            mask,
        )

    def position(self, n: Index, *positions: Index) -> None:
        """One position of one sample, with what its window reaches."""
        k, axes = self.k, self.axes
        array_rows = k.dim(prod((axis.length for axis in axes), start=1))
        count: Index = 1
        for axis, place in zip(axes, positions, strict=True):
            low, high = clamped_range(k, axis, place)
            count = k.multiply(k.subtract(high, low), count)

        def vector(c: Index, lanes: int, mask: Mask) -> None:
            combine = self.combination

            def element(array_row: Index, _: Index, value: Sequence[Any]) -> list[Any]:
                start = k.multiply(n * array_rows + array_row, self._pitch)
                return [combine(k, self._load(start + c, lanes, mask), value[0])]

            (value,) = over_leading_window(
                k, axes, positions, element, [combine.neutral], [Kind(self.dtype, lanes)]
            )
            row = row_number(k, axes[:-1], positions[:-1])
            self._finish(value, count, (n, row, positions[-1], c), lanes, mask)

        for_each_vector(k, "c", self.anchor.shape[-1], vector)
