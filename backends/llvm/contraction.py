"""Dense and Matmul: register tiles over packed weights, the epilogue fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.packing import (
    Columns,
    Packed,
    RowMajor,
    WeightMatrix,
    column_tiles,
    constant_array,
    pack_weights,
)
from kerac.backends.llvm.pointwise import Part, Position, load_at
from kerac.backends.llvm.schedule import Tile, choose_span, choose_tile, small_rows
from kerac.ir.dims import DimLike
from kerac.ir.graph import Value
from kerac.ir.ops.contraction import Dense, Matmul
from kerac.ir.types import Shape

MANY_ROWS = 1 << 20  # stands for a number of rows that is not known when tiles are chosen


def fused_multiply_add(
    sums: Sequence[Any],
    rows: Sequence[int],
    vectors: int,
    a: Callable[[int], Register],
    b: Callable[[int], Register],
) -> list[Any]:
    """sums[row][vector] += a[row] * b[vector] for the `rows` that take part; sums are row-major."""
    new = list(sums)
    if not rows:
        return new
    weights = [b(vector) for vector in range(vectors)]
    k = weights[0].builder
    for row in rows:
        scalar = k.broadcast(a(row), weights[0].kind.lanes)
        for vector in range(vectors):
            place = row * vectors + vector
            new[place] = k.fma(scalar, weights[vector], new[place])
    return new


def finish_tile(
    k: GroupKernel,
    sums: Sequence[Register],
    rows: int,
    columns: Columns,
    position: Callable[[int, Index], Position],
) -> None:
    """Bias, residual, activation and the group's elementwise work on a tile; then write it."""
    anchor = k.group.head
    bias, residual = (
        ([*anchor.inputs, None, None][2:4]) if not isinstance(anchor.op, Matmul) else (None, None)
    )
    activation = getattr(anchor.op, "activation", None)
    for row in range(rows):
        for vector in range(columns.vectors):
            value: Any = sums[row * columns.vectors + vector]
            place = position(row, columns.first + vector * k.lanes)
            mask = columns.mask_of(vector)
            for operand in (bias, residual):
                if operand is not None:
                    value = value + load_at(k, operand, place, anchor.shape, value.kind.lanes, mask)
            if activation is not None:
                value = activation.formula(k.mathematics, value)
            k.finish(value, place, mask)


@lowers(Dense)
def lower_dense(lowering: Lowering, group: Group) -> None:
    """y[m, f] = sum over c of x[m, c] * kernel[c, f]"""
    anchor = group.head
    x, kernel = anchor.operands[:2]
    multiply_rows(lowering, group, x.shape[:-1], constant_array(kernel), kernel)


def multiply_rows(
    lowering: Lowering, group: Group, leading: Shape, matrix: np.ndarray | None, kernel: Value
) -> None:
    """One kernel for x[*leading, C] times a matrix [C, F], which is packed where it is known."""
    anchor = group.head
    inputs, columns = kernel.shape[-2:]
    k = lowering.kernel(group)
    outer, inner = split_rows(leading)
    vectors = -(-columns // k.lanes)
    tile = choose_tile(
        lowering.target, inner if isinstance(inner, int) else MANY_ROWS, vectors, inputs * 4
    )
    x = k.read(anchor.operands[0])
    if matrix is not None:
        packed = lowering.constant(pack_weights(lowering, matrix), "weights")
        weights: WeightMatrix = Packed(k.read(packed), inputs, columns, k.lanes)
    else:
        weights = RowMajor(k.read(kernel), k.lanes, columns)
    ndim = anchor.ndim

    def tile_at(first_row: Index, rows: int, part: Columns) -> None:
        def step(c: Index, *sums: Any) -> list[Any]:
            return fused_multiply_add(
                sums,
                range(rows),
                part.vectors,
                lambda row: k.load(x, first_row * inputs + c + row * inputs),
                lambda vector: weights.load(k, part, vector, c),
            )

        def position(row: int, column: Index) -> Position:
            return Position((Part(first_row + row, 0, ndim - 1), Part(column, ndim - 1, ndim)))

        count = rows * part.vectors
        kinds = [Kind(anchor.dtype, k.lanes)] * count
        sums = k.loop("c", 0, inputs, step, carried=[0.0] * count, kinds=kinds)
        finish_tile(k, registers(k, sums, kinds), rows, part, position)

    def image(n: Index) -> None:
        tiles_over_rows(k, tile, n * k.dim(inner) if outer != 1 else 0, inner, columns, tile_at)

    k.loop("n", 0, k.dim(outer), image, kind="parallel")
    lowering.launch(k)


def registers(k: GroupKernel, values: Sequence[Any], kinds: Sequence[Kind]) -> list[Register]:
    """Numbers among `values` (where a loop dissolved) as registers."""
    return [
        v if isinstance(v, Register) else k.number(v, kind)
        for v, kind in zip(values, kinds, strict=True)
    ]


def split_rows(leading: Shape) -> tuple[DimLike, DimLike]:
    """(outer, inner) rows: inner is a fixed number worth tiling for itself, or else all of them."""
    fixed = 1
    for place in range(len(leading) - 1, -1, -1):
        dim = leading[place]
        if not isinstance(dim, int):
            outer = prod(leading[: place + 1], start=1)
            return (outer, fixed) if fixed >= 8 else (1, outer * fixed)
        fixed *= dim
    return 1, fixed


def tiles_over_rows(
    k: GroupKernel,
    tile: Tile,
    first_row: Index,
    rows: DimLike,
    columns: int,
    body: Callable[[Index, int, Columns], None],
) -> None:
    """body(first row, number of rows, columns) so that all rows and columns are covered."""
    if isinstance(rows, int):
        full = rows // tile.rows * tile.rows

        def block(part: Columns) -> None:
            k.loop("m", 0, full, lambda m: body(first_row + m, tile.rows, part), step=tile.rows)
            if rows > full:
                body(first_row + full, rows - full, part)

        span = choose_span(k.target, tile, rows) if rows < tile.rows or rows == 1 else 1
        column_tiles(k, columns, tile.vectors, block, span=span)
        return
    total = k.dim(rows)
    done: Index = 0
    for small in (tile, *small_rows(k.target, tile)):
        height = small.rows
        start = done
        stop = k.add(start, k.quotient(k.subtract(total, start), height) * height)

        def wide(
            part: Columns, start: Index = start, stop: Index = stop, height: int = height
        ) -> None:
            k.loop("m", start, stop, lambda m: body(first_row + m, height, part), step=height)

        def some(small: Tile = small, wide: Any = wide) -> None:
            column_tiles(k, columns, tile.vectors, wide, span=small.vectors // tile.vectors)

        # rows left by higher tiles; without any, the weights are not looped over
        k.when(k.compare("less", start, stop), some)
        done = stop


def lower_matmul(lowering: Lowering, group: Group) -> None:
    """y[n, m, f] = sum over c of a[n, m, c] * b[n, c, f]"""
    anchor = group.head
    a, b = anchor.operands
    rows, inner = a.shape[-2:]
    columns = b.shape[-1]
    k = lowering.kernel(group)
    ndim = anchor.ndim
    fixed_columns = columns if isinstance(columns, int) else None
    vectors = -(-fixed_columns // k.lanes) if fixed_columns is not None else 4
    height = rows if isinstance(rows, int) else MANY_ROWS
    row_bytes = inner * 4 if isinstance(inner, int) else 4
    tile = choose_tile(lowering.target, height, vectors, row_bytes)
    x, y = k.read(a), k.read(b)
    depth, width = k.dim(inner), k.dim(columns)

    def batch(n: Index) -> None:
        a_start = n * k.dim(rows) * depth
        weights = RowMajor(y, k.lanes, width, n * depth * width)

        def tile_at(first_row: Index, height: int, part: Columns) -> None:
            def step(c: Index, *sums: Any) -> list[Any]:
                return fused_multiply_add(
                    sums,
                    range(height),
                    part.vectors,
                    lambda row: k.load(x, a_start + (first_row + row) * depth + c),
                    lambda vector: weights.load(k, part, vector, c),
                )

            count = height * part.vectors
            kinds = [Kind(anchor.dtype, k.lanes)] * count
            sums = k.loop("c", 0, depth, step, carried=[0.0] * count, kinds=kinds)

            def position(row: int, column: Index) -> Position:
                parts = (Part(n, 0, ndim - 2), Part(first_row + row, ndim - 2, ndim - 1))
                return Position((*parts, Part(column, ndim - 1, ndim)))

            finish_tile(k, registers(k, sums, kinds), height, part, position)

        if fixed_columns is not None:
            tiles_over_rows(k, tile, 0, rows, fixed_columns, tile_at)
        else:
            symbolic_columns(k, tile, rows, width, tile_at)

    k.loop("n", 0, k.dim(prod(anchor.shape[:-2], start=1)), batch, kind="parallel")
    lowering.launch(k)


def symbolic_columns(
    k: GroupKernel,
    tile: Tile,
    rows: DimLike,
    width: Any,
    body: Callable[[Index, int, Columns], None],
) -> None:
    """As `tiles_over_rows`, for a number of columns that is known only when the kernel runs."""
    step = tile.vectors * k.lanes
    full, total = width // step * step, k.dim(rows)

    def every_row(part: Columns) -> None:
        high = total // tile.rows * tile.rows
        k.loop("m", 0, high, lambda m: body(m, tile.rows, part), step=tile.rows)
        k.loop("m", high, total, lambda m: body(m, 1, part))

    k.loop("f", 0, full, lambda f: every_row(Columns(f, tile.vectors)), step=step)
    k.loop(
        "f",
        full,
        width,
        lambda f: every_row(Columns(f, 1, k.tail_mask(width - f, k.lanes))),
        step=k.lanes,
    )
