"""Dense and Matmul: register tiles over packed weights, the epilogue fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.packing import (
    Columns,
    ColumnTiles,
    Packed,
    RowMajor,
    WeightMatrix,
    packed_weights,
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
    multiply_rows(lowering, group, x.shape[:-1], kernel)


def multiply_rows(lowering: Lowering, group: Group, leading: Shape, kernel: Value) -> None:
    """One kernel for x[*leading, C] times a matrix [C, F], which is packed where it pays."""
    anchor = group.head
    inputs, columns = kernel.shape[-2:]
    k = lowering.kernel(group)
    outer, inner = split_rows(leading)
    vectors = -(-columns // k.lanes)
    tile = choose_tile(
        lowering.target, inner if isinstance(inner, int) else MANY_ROWS, vectors, inputs * 4
    )
    x = k.read(anchor.operands[0])
    weights: WeightMatrix
    packed = packed_weights(lowering, group, kernel, inner)
    if packed is not None:
        weights = Packed(k.read(packed), inputs, columns, k.lanes)
    else:
        weights = RowMajor(k.read(kernel), k.lanes, columns)
    ndim = anchor.ndim

    def tile_at(n: Index, place: Index, rows: int, part: Columns) -> None:
        first_row = k.add(k.multiply(n, k.dim(inner)), place) if outer != 1 else place

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

    tiles_over_rows(k, tile, (outer, inner), columns, inputs, tile_at)
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
    rows: tuple[DimLike, DimLike],
    columns: int,
    depth: Index,
    body: Callable[[Index, Index, int, Columns], None],
) -> None:
    """body(n, first row, number of rows, columns) in parallel, until all `rows` are covered.

    `rows` are the numbers of (outer, inner) rows; a tile stays within the inner rows of one n.
    """
    outer, inner = rows
    if isinstance(inner, int):
        full = inner // tile.rows * tile.rows
        span = choose_span(k.target, tile, inner) if inner < tile.rows or inner == 1 else 1
        blocks = ColumnTiles.of(k, columns, tile.vectors, span)

        def task(n: Index, f: Index) -> None:
            def block(part: Columns) -> None:
                k.loop("m", 0, full, lambda m: body(n, m, tile.rows, part), step=tile.rows)
                if inner > full:
                    body(n, full, inner - full, part)

            blocks.at(f, block)

        cost = k.multiply(depth, -(-inner * columns // blocks.count))
        k.parallel({"n": k.dim(outer), "f": blocks.count}, task, cost=cost)
        return
    done: Index = 0
    for small in (tile, *small_rows(k.target, tile)):
        blocks = ColumnTiles.of(k, columns, tile.vectors, small.vectors // tile.vectors)
        tiles = k.quotient(k.subtract(k.dim(inner), done), small.rows)

        def some(
            n: Index,
            f: Index,
            m: Index,
            start: Index = done,
            blocks: ColumnTiles = blocks,
            height: int = small.rows,
        ) -> None:
            first = k.add(start, k.multiply(m, height))
            blocks.at(f, lambda part: body(n, first, height, part))

        extents = {"n": k.dim(outer), "f": blocks.count, "m": tiles}
        k.parallel(extents, some, cost=k.multiply(depth, small.rows * columns // blocks.count))
        done = k.add(done, k.multiply(tiles, small.rows))


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

    def tile_at(n: Index, first_row: Index, height: int, part: Columns) -> None:
        a_start = n * k.dim(rows) * depth
        weights = RowMajor(y, k.lanes, width, n * depth * width)

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

    outer = prod(anchor.shape[:-2], start=1)
    if fixed_columns is not None:
        tiles_over_rows(k, tile, (outer, rows), fixed_columns, depth, tile_at)
    else:
        symbolic_columns(k, tile, (outer, rows), width, tile_at)
    lowering.launch(k)


def symbolic_columns(
    k: GroupKernel,
    tile: Tile,
    rows: tuple[DimLike, DimLike],
    width: Any,
    body: Callable[[Index, Index, int, Columns], None],
) -> None:
    """As `tiles_over_rows`, for a number of columns that is known only when the kernel runs."""
    step = tile.vectors * k.lanes
    full, total = width // step * step, k.dim(rows[1])

    def every_row(n: Index, part: Columns) -> None:
        high = total // tile.rows * tile.rows
        k.loop("m", 0, high, lambda m: body(n, m, tile.rows, part), step=tile.rows)
        k.loop("m", high, total, lambda m: body(n, m, 1, part))

    def every_column(n: Index) -> None:
        k.loop("f", 0, full, lambda f: every_row(n, Columns(f, tile.vectors)), step=step)
        k.loop(
            "f",
            full,
            width,
            lambda f: every_row(n, Columns(f, 1, k.tail_mask(width - f, k.lanes))),
            step=k.lanes,
        )

    k.parallel({"n": k.dim(rows[0])}, every_column, cost=k.multiply(total, width))
