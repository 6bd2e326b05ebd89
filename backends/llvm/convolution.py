"""Convolution without copies: tiles of positions x filters in registers, the epilogue fused.

A tile takes R neighbouring positions of the last spatial axis and V vectors of filters. Its sums
run over the window and the input channels; each step loads V vectors of packed weights and
broadcasts R elements of the array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

from kerac.backends.llvm.contraction import multiply_rows
from kerac.backends.llvm.depthwise import is_depthwise, lower_depthwise
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.packing import (
    FAR,
    STREAM,
    Columns,
    ColumnTiles,
    Packed,
    RowMajor,
    WeightMatrix,
)
from kerac.backends.llvm.padded_copy import needs_padded_copy, pad_last_axis
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import Part, Position
from kerac.backends.llvm.pooled import SIDE, Pooled, find_pool, windows_alone
from kerac.backends.llvm.register_tiles import (
    MANY_ROWS,
    finish_tile,
    fused_multiply_add,
    registers,
)
from kerac.backends.llvm.run_time_packing import packed_weights
from kerac.backends.llvm.schedule import likely_tiles
from kerac.backends.llvm.widening import widened
from kerac.backends.llvm.window import (
    Axis,
    Reached,
    leading_extents,
    over_last_axis,
    over_leading_window,
    row_number,
    window_axes,
)
from kerac.backends.llvm.winograd_stripes import choose_form, lower_transformed
from kerac.ir.dims import known_dim
from kerac.ir.graph import Value
from kerac.ir.ops.convolution import Convolution
from kerac.ir.types import NARROW, computing_dtype


@lowers(Convolution, reads_pieces=(0, 3))
def lower_convolution(lowering: Lowering, group: Group) -> None:
    """y[n, p, f] = sum over e, c of x[n, p * stride + e, c] * kernel[e, c, f]"""
    anchor = group.head
    op, (x, kernel) = group.head_op(Convolution), anchor.operands[:2]
    axes = axes_of(op, x, kernel, anchor)
    if is_pointwise(op, axes):
        multiply_rows(lowering, group, x.shape[:-1], kernel)
        return
    pool = None if is_depthwise(op, kernel) else find_pool(lowering, group, axes)
    if pool is not None:
        pool, axes = lowering.take(pool), windows_alone(axes)
    if (form := choose_form(lowering, op, axes, anchor)) is not None:
        lower_transformed(lowering, group, axes, form, pool)
        return
    copy = None
    if needs_padded_copy(axes[-1]):
        copy, axes = pad_last_axis(lowering, x, axes)
    if is_depthwise(op, kernel):
        lower_depthwise(lowering, group, axes, copy)
    else:
        if copy is None and x.dtype in NARROW:
            copy = lowering.buffer(widened(lowering, x))
        _Direct(lowering, group, axes, copy, pool).emit()


def axes_of(op: Convolution, x: Value, kernel: Value, result: Value) -> list[Axis]:
    """The spatial axes of a convolution."""
    spatial = x.ndim - 2
    return window_axes(
        x.shape[1:-1],
        kernel.shape[:-2],
        op.all_strides(spatial),
        op.all_dilation(spatial),
        op.padding,
        result.shape[1:-1],
    )


def is_pointwise(op: Convolution, axes: Sequence[Axis]) -> bool:
    """Whether it is a product with a matrix at every place."""
    return op.groups == 1 and all(
        axis.window == axis.stride == 1 and not axis.padded for axis in axes
    )


@dataclass(frozen=True)
class _Row:
    """Positions of an image that differ in the last index alone, for a group and some filters."""

    image: Index
    group: Index
    positions: Sequence[Index]  # on the leading axes
    weights: WeightMatrix
    columns: Columns


@dataclass(frozen=True)
class _Run:
    """Neighbouring elements of a line of the window that all reach the same rows of a tile."""

    first: int
    elements: int
    rows: tuple[int, ...]


@dataclass
class _Direct:
    """One direct convolution under construction."""

    lowering: Lowering
    group: Group
    axes: list[Axis]
    copy: Buffer | None  # of x, padded along the last axis or widened
    pool: Group | None  # that follows in the same kernel

    def __post_init__(self) -> None:
        self.anchor = self.group.head
        self.groups = self.group.head_op(Convolution).groups
        *_, self.channels, filters = self.anchor.operands[1].shape
        self.filters = filters // self.groups  # of one group
        self.all_channels = self.channels * self.groups
        positions = prod((axis.positions for axis in self.axes), start=1)
        self.packed = packed_weights(
            self.lowering, self.group, self.anchor.operands[1], positions, self.groups
        )
        self.k: GroupKernel = self.lowering.kernel(self.group)
        x = self.anchor.operands[0]
        # as a value it has the same name in all kernels, so that equal ones are found
        self.x: Pointer = self.k.read(self.copy or x)
        self.pitch = (self.copy or self.lowering.buffer(x)).pitch or self.all_channels
        last = self.axes[-1]
        tiles = likely_tiles(
            self.lowering.target,
            last.positions if isinstance(last.positions, int) else MANY_ROWS,
            -(-self.filters // self.k.lanes),
            last.stride * self.pitch * 4,
        )
        self.tile = self.lowering.schedules.choose("tile", self.anchor, tiles)
        if self.pool is not None:
            self._begin_pool(self.pool)

    def emit(self) -> None:
        """Build and launch the kernel."""
        k, anchor = self.k, self.anchor

        tiles = ColumnTiles.of(k, self.filters, self.tile.vectors)

        def task(n: Index, group: Index, f: Index, *positions: Index) -> None:
            weights = self._weights(group)
            tiles.at(f, lambda columns: self._tiles(_Row(n, group, positions, weights, columns)))

        of_result = prod(axis.window for axis in self.axes) * self.channels + ELEMENT
        lines = 1 if self.pool is None else SIDE
        k.parallel(
            {
                "n": k.dim(anchor.shape[0]),
                "g": self.groups,
                "f": tiles.count,
                **self._leading_extents(),
            },
            task,
            cost=k.dim(
                lines * self.axes[-1].positions * of_result * -(-self.filters // tiles.count)
            ),
        )
        self.lowering.launch(k, *([self.pool] if self.pool else []))

    def _begin_pool(self, pool: Group) -> None:
        """Tiles of whole windows, and memory for the maxima of the first of two lines."""
        rows = max(self.tile.rows // SIDE, 1)
        self.tile = replace(self.tile, rows=rows * SIDE)
        self.pooled = Pooled(self.k, pool)
        self.maxima = self.k.local("maxima", "f32", rows * self.tile.vectors * self.k.lanes)

    def _leading_extents(self) -> dict[str, Index]:
        """Lines of results, or of pooled ones."""
        if self.pool is None:
            return leading_extents(self.k, self.axes[:-1])
        return {"p0": known_dim(self.axes[0].positions) // SIDE}

    def _weights(self, group: Index) -> WeightMatrix:
        """The weights of one group as a matrix [window * channels, filters]."""
        k, kernel = self.k, self.anchor.operands[1]
        if self.packed is None:
            stride = self.filters * self.groups
            return RowMajor(k.read(kernel), k.lanes, stride, group * self.filters)
        rows = prod(axis.window for axis in self.axes) * self.channels
        size = known_dim(self.packed.type.shape[0]) // self.groups
        ahead = STREAM if size >= FAR else None
        return Packed(k.read(self.packed), rows, self.filters, k.lanes, group * size, ahead)

    def _tiles(self, row: _Row) -> None:
        """All tiles along the last axis."""
        tile = self._tile if self.pool is None else self._two_lines
        over_last_axis(self.k, self.axes[-1], self.tile.rows, partial(tile, row))

    def _two_lines(self, row: _Row, first: Index, height: int, valid: Reached | None) -> None:
        """A tile, and the one below it, where lines are pooled two at a time."""
        k = self.k

        def line(number: Index) -> None:
            y = k.add(k.multiply(row.positions[0], SIDE), number)
            self._tile(replace(row, positions=[y]), first, height, valid)

        k.loop("line", 0, SIDE, line)

    def _tile(self, row: _Row, first: Index, height: int, valid: Reached | None) -> None:
        """`height` positions from `first` on; element e of a line reaches those in valid[e]."""
        k, last, leading = self.k, self.axes[-1], self.axes[:-1]
        count = height * row.columns.vectors
        kinds = [Kind(computing_dtype(self.anchor.dtype), k.lanes)] * count
        width = k.dim(last.length)
        array_rows = k.dim(prod((axis.length for axis in leading), start=1))
        runs = self._runs(height, valid)

        def line(array_row: Index, window_row: Index, sums: Sequence[Any]) -> Sequence[Any]:
            start = (row.image * array_rows + array_row) * width + first * last.stride

            def element(
                e: Index, sums: Sequence[Any], rows: Sequence[int], elements: int = 1
            ) -> Sequence[Any]:
                place = k.subtract(start + e * last.dilation, k.dim(last.before)) * self.pitch
                place = place + row.group * self.channels
                weight_row = (window_row * last.window + e) * self.channels
                return self._channels(row, rows, (place, weight_row), elements, sums, kinds)

            for run in runs:
                if self._are_neighbours or run.elements == 1:
                    sums = element(run.first, sums, run.rows, run.elements)
                    continue
                sums = k.loop(
                    "e",
                    run.first,
                    run.first + run.elements,
                    lambda e, *inner, rows=run.rows: element(e, inner, rows),
                    carried=sums,
                    kinds=kinds,
                )
            return sums

        sums = over_leading_window(k, leading, row.positions, line, [0.0] * count, kinds)
        finish = self._finish if self.pool is None else self._pool
        finish(row, first, height, registers(k, sums, kinds))

    @property
    def _are_neighbours(self) -> bool:
        """Whether the channels of neighbouring elements of a line lie one after the other."""
        return self.pitch == self.channels and self.axes[-1].dilation == 1

    def _runs(self, height: int, valid: Reached | None) -> list[_Run]:
        """Elements of a line that follow each other and reach the same positions of a tile."""
        window = self.axes[-1].window
        reached = [range(height)] * window if valid is None else valid
        runs = [_Run(0, 0, ())]
        for e, rows in enumerate(map(tuple, reached)):
            if runs[-1].rows == rows:
                runs[-1] = replace(runs[-1], elements=runs[-1].elements + 1)
            else:
                runs.append(_Run(e, 1, rows))
        return [run for run in runs if run.rows]

    def _channels(
        self,
        row: _Row,
        rows: Sequence[int],
        start: tuple[Index, Index],
        elements: int,
        sums: Sequence[Any],
        kinds: Sequence[Kind],
    ) -> Sequence[Any]:
        """sums += x[place + ...] * weights[weight row + ...] over the channels of some elements.

        `start` is the first place and the first row of the weights.
        """
        k, step = self.k, self.axes[-1].stride * self.pitch
        place, weight_row = start

        def channel(c: Index, *sums: Any) -> list[Any]:
            return fused_multiply_add(
                sums,
                rows,
                row.columns.vectors,
                lambda r: k.load(self.x, place + c + r * step),
                lambda vector: row.weights.load(k, row.columns, vector, weight_row + c),
            )

        # never unrolled: the compiler would load ahead and run out of registers
        return k.loop("c", 0, elements * self.channels, channel, carried=sums, kinds=kinds)

    def _finish(self, row: _Row, first: Index, height: int, sums: Sequence[Register]) -> None:
        place = partial(self._place, row, first)
        finish_tile(self.k, sums, height, row.columns, place)

    def _place(self, row: _Row, first: Index, r: int, column: Index) -> Position:
        """Where the result of a row of a tile lies."""
        k, ndim = self.k, self.anchor.ndim
        outer = k.dim(prod(self.anchor.shape[1:-2], start=1))
        place = row.image * outer + row_number(k, self.axes[:-1], row.positions)
        parts = [Part(place, 0, ndim - 2), Part(first + r, ndim - 2, ndim - 1)]
        return Position((*parts, Part(row.group * self.filters + column, ndim - 1, ndim)))

    def _pool(self, row: _Row, first: Index, height: int, sums: Sequence[Register]) -> None:
        """The maxima over windows of a tile: kept from the first line, finished in the second."""
        k, columns, pooled = self.k, row.columns, self.pooled
        y = row.positions[0]
        is_first = k.compare("equal", k.remainder(y, SIDE), 0)

        def window(r: int, vector: int) -> None:
            column, mask = columns.first + vector * k.lanes, columns.mask_of(vector)
            results = [
                (sums[at * columns.vectors + vector], self._place(row, first, at, column))
                for at in range(r, r + SIDE)
            ]
            value = pooled.maximum(results, mask)
            kept = (r // SIDE * columns.vectors + vector) * k.lanes
            k.when(is_first, lambda: k.store(self.maxima, kept, value))

            def finish() -> None:
                both = pooled.larger(k.load(self.maxima, kept, k.lanes), value)
                channel = row.group * self.filters + column
                place = pooled.place(row.image, y, first + r, channel)
                pooled.finish(both, results[0][1], place, mask)

            k.when(k.compare("not_equal", k.remainder(y, SIDE), 0), finish)

        for r in range(0, height, SIDE):
            for vector in range(columns.vectors):
                window(r, vector)
