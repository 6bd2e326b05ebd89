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
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask, Pointer, Register
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
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import Part, Position
from kerac.backends.llvm.register_tiles import (
    MANY_ROWS,
    finish_tile,
    fused_multiply_add,
    registers,
)
from kerac.backends.llvm.run_time_packing import packed_weights
from kerac.backends.llvm.schedule import likely_tiles
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
from kerac.ir.dims import DimLike, known_dim
from kerac.ir.graph import Value
from kerac.ir.ops.convolution import Convolution
from kerac.ir.types import TensorType

# elements on the last axis, above which the border is padded instead of being laid out
WIDE_WINDOW = 15


@lowers(Convolution, reads_pieces=(0, 3))
def lower_convolution(lowering: Lowering, group: Group) -> None:
    """y[n, p, f] = sum over e, c of x[n, p * stride + e, c] * kernel[e, c, f]"""
    anchor = group.head
    op, (x, kernel) = group.head_op(Convolution), anchor.operands[:2]
    axes = axes_of(op, x, kernel, anchor)
    if is_pointwise(op, axes):
        multiply_rows(lowering, group, x.shape[:-1], kernel)
    elif (form := choose_form(lowering, op, axes, anchor)) is not None:
        lower_transformed(lowering, group, axes, form)
    else:
        copy = None
        if needs_padded_copy(axes[-1]):
            copy, axes = pad_last_axis(lowering, x, axes)
        if is_depthwise(op, kernel):
            lower_depthwise(lowering, group, axes, copy)
        else:
            _Direct(lowering, group, axes, copy).emit()


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


def needs_padded_copy(axis: Axis) -> bool:
    """Whether the border of the last axis cannot be laid out when the kernel is built."""
    return axis.padded and (not isinstance(axis.length, int) or axis.window > WIDE_WINDOW)


def pad_last_axis(lowering: Lowering, x: Value, axes: list[Axis]) -> tuple[Buffer, list[Axis]]:
    """A copy of x with zeros around its last spatial axis, and the axes of that copy."""
    last = axes[-1]
    length = last.length + last.before + last.after
    padded = x.tensor_type.with_shape((*x.shape[:-2], length, x.shape[-1]))
    buffer = lowering.scratch(padded, "padded")
    copy_padded(lowering, x, padded, last.before, buffer)
    return buffer, [
        *axes[:-1],
        Axis(length, last.window, last.stride, last.dilation, 0, 0, last.positions),
    ]


def copy_padded(
    lowering: Lowering, x: Value, padded: TensorType, before: DimLike, target: Buffer
) -> None:
    """Zeros, then each row of x into its place."""
    from kerac.backends.llvm.pointwise import for_each_vector

    k = lowering.kernel(Group((x,), None), "pad")
    source, sink = k.read(x), k.write(target)
    new_width = k.dim(padded.shape[-2] * padded.shape[-1])
    channels, pitch = k.dim(x.shape[-1]), k.pitch(x)
    # the positions of a piece lie apart
    places, length = (1, x.shape[-2] * x.shape[-1]) if pitch is None else x.shape[-2:]
    step = k.dim(length) if pitch is None else pitch

    def row(r: Index) -> None:
        start, offset = r * new_width, k.dim(before)
        for_each_vector(
            k,
            "z",
            padded.shape[-2] * padded.shape[-1],
            lambda i, lanes, mask: k.store(
                sink, start + i, k.number(0.0, Kind(padded.dtype, lanes)), mask
            ),
        )

        def place(w: Index) -> None:
            source_start = k.multiply(k.add(k.multiply(r, k.dim(places)), w), step)
            sink_start = k.add(start, k.multiply(channels, k.add(w, offset)))

            def vector(i: Index, lanes: int, mask: Mask) -> None:
                value = k.load(source, k.add(source_start, i), lanes, mask)
                k.store(sink, k.add(sink_start, i), value, mask)

            for_each_vector(k, "i", length, vector)

        k.loop("w", 0, k.dim(places), place)

    k.parallel(
        {"r": k.dim(prod(x.shape[:-2], start=1))}, row, cost=k.multiply(new_width, 2 * ELEMENT)
    )
    lowering.launch(k)


@dataclass(frozen=True)
class _Row:
    """Positions of an image that differ in the last index alone, for a group and some filters."""

    image: Index
    group: Index
    positions: list[Index]  # on the leading axes
    number: Index  # the same as one row-major number
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
    copy: Buffer | None  # of x, padded along the last axis

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

    def emit(self) -> None:
        """Build and launch the kernel."""
        k, anchor = self.k, self.anchor

        tiles = ColumnTiles.of(k, self.filters, self.tile.vectors)

        def task(n: Index, group: Index, f: Index, *positions: Index) -> None:
            weights = self._weights(group)
            number = row_number(k, self.axes[:-1], positions)
            tiles.at(
                f,
                lambda columns: self._tiles(
                    _Row(n, group, list(positions), number, weights, columns)
                ),
            )

        depth = prod(axis.window for axis in self.axes) * self.channels
        k.parallel(
            {
                "n": k.dim(anchor.shape[0]),
                "g": self.groups,
                "f": tiles.count,
                **leading_extents(k, self.axes[:-1]),
            },
            task,
            cost=k.dim(self.axes[-1].positions * depth * -(-self.filters // tiles.count)),
        )
        self.lowering.launch(k)

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
        over_last_axis(self.k, self.axes[-1], self.tile.rows, partial(self._tile, row))

    def _tile(self, row: _Row, first: Index, height: int, valid: Reached | None) -> None:
        """`height` positions from `first` on; element e of a line reaches those in valid[e]."""
        k, last, leading = self.k, self.axes[-1], self.axes[:-1]
        count = height * row.columns.vectors
        kinds = [Kind(self.anchor.dtype, k.lanes)] * count
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
        self._finish(row, first, height, registers(k, sums, kinds))

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
        k, leading, ndim = self.k, self.axes[:-1], self.anchor.ndim
        outer = k.dim(prod((axis.positions for axis in leading), start=1))

        def position(r: int, column: Index) -> Position:
            place = row.image * outer + row.number
            parts = [Part(place, 0, ndim - 2), Part(first + r, ndim - 2, ndim - 1)]
            return Position((*parts, Part(row.group * self.filters + column, ndim - 1, ndim)))

        finish_tile(k, sums, height, row.columns, position)
