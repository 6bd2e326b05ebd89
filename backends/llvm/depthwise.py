"""Depthwise convolution: vectors run over channels, and rows of positions stay in registers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from kerac.backends.llvm.depthwise_sheets import sheets_of
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering
from kerac.backends.llvm.packing import Columns
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import Part, Position, for_each_vector
from kerac.backends.llvm.register_tiles import finish_tile, registers
from kerac.backends.llvm.window import (
    Axis,
    Reached,
    leading_extents,
    over_last_axis,
    over_leading_window,
    row_number,
)
from kerac.ir.graph import Value
from kerac.ir.ops.convolution import Convolution
from kerac.ir.types import computing_dtype


def is_depthwise(op: Convolution, kernel: Value) -> bool:
    """Whether each group has one input channel and one filter."""
    return op.groups > 1 and kernel.shape[-2] == 1 and kernel.shape[-1] == op.groups


class _Source(NamedTuple):
    """What is read, and the elements from place to place of its last spatial axis."""

    x: Pointer
    pitch: Index


class _Line(NamedTuple):
    """Positions of an image that differ in the last index alone."""

    image: Index
    positions: list[Index]  # on the leading axes
    number: Index  # the same as one row-major number


def lower_depthwise(
    lowering: Lowering, group: Group, axes: list[Axis], copy: Buffer | None
) -> None:
    """y[n, p, c] = sum over e of x[n, p * stride + e, c] * kernel[e, 0, c]

    `copy` is x padded along the last axis, where that is read instead.
    """
    anchor = group.head
    k = lowering.kernel(group, "depthwise")
    sheets = None if copy else sheets_of(k, axes)
    if sheets is not None:
        sheets.emit()
        lowering.launch(k)
        return
    x, last, leading = anchor.operands[0], axes[-1], axes[:-1]
    pitch = k.dim(x.shape[-1]) if copy else k.row_pitch(x)
    source, rows = _Source(k.read(copy or x), pitch), _tile_rows(k, last)

    def line(n: Index, *positions: Index) -> None:
        row = _Line(n, list(positions), row_number(k, leading, positions))

        def tile(first: Index, height: int, valid: Reached | None) -> None:
            for_each_vector(
                k,
                "c",
                anchor.shape[-1],
                lambda c, lanes, mask: _tile(
                    k, axes, source, row, first, height, valid, (c, lanes, mask)
                ),
            )

        over_last_axis(k, last, rows, tile)

    window = prod(axis.window for axis in axes)
    k.parallel(
        {"n": k.dim(anchor.shape[0]), **leading_extents(k, leading)},
        line,
        cost=k.dim(last.positions * anchor.shape[-1] * window * 2),
    )
    lowering.launch(k)


def _tile_rows(k: GroupKernel, last: Axis) -> int:
    """As many positions as registers hold sums, beside the elements and weights of one line."""
    most = max(1, (k.target.vector_registers - 4) // 2)
    if not isinstance(last.positions, int):
        return most
    # tiles of equal height
    return -(-last.positions // -(-last.positions // most))


def _tile(
    k: GroupKernel,
    axes: Sequence[Axis],
    source: _Source,
    row: _Line,
    first: Index,
    rows: int,
    valid: Reached | None,
    vector: tuple[Index, int, Mask],
) -> None:
    anchor = k.group.head
    kernel, (x, pitch) = k.read(anchor.operands[1]), source
    (c, lanes, mask), channels, last, leading = vector, anchor.shape[-1], axes[-1], axes[:-1]
    kinds = [Kind(computing_dtype(anchor.dtype), lanes)] * rows
    array_rows = k.dim(prod((axis.length for axis in leading), start=1))

    def line(array_row: Index, window_row: Index, sums: Sequence[Any]) -> Sequence[Any]:
        start = k.subtract(
            (row.image * array_rows + array_row) * k.dim(last.length) + first * last.stride,
            k.dim(last.before),
        )
        base = start * pitch + c
        loaded: dict[int, Register] = {}
        new = list(sums)
        for e in range(last.window):
            at = (window_row * last.window + e) * channels + c
            weight = k.widened(k.load(kernel, at, lanes, mask))
            for r in valid[e] if valid is not None else range(rows):
                place = r * last.stride + e * last.dilation
                if place not in loaded:
                    element = k.load(x, base + place * pitch, lanes, mask)
                    loaded[place] = k.widened(element)
                new[r] = k.fma(loaded[place], weight, new[r])
        return new

    sums = over_leading_window(k, leading, row.positions, line, [0.0] * rows, kinds)
    outer = k.dim(prod((axis.positions for axis in leading), start=1))
    ndim = anchor.ndim

    def position(r: int, column: Index) -> Position:
        place = row.image * outer + row.number
        parts = (Part(place, 0, ndim - 2), Part(first + r, ndim - 2, ndim - 1))
        return Position((*parts, Part(column, ndim - 1, ndim)))

    finish_tile(k, registers(k, sums, kinds), rows, Columns(c, 1, mask), position)
