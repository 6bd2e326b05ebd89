"""Register tiles of products: rows x vectors of columns, summed in registers and then finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kerac.backends.llvm.kernel import Index, Kind, Mask, Register
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.packing import Columns, ColumnTiles
from kerac.backends.llvm.pointwise import Position, load_at
from kerac.backends.llvm.schedule import TASKS, Tile, choose_span, near_rows, small_rows
from kerac.backends.llvm.stretches import MANY_TASKS, EvenTiles, even_turns, parallel_stretches
from kerac.ir.dims import DimLike
from kerac.ir.ops.contraction import Matmul

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
    loaded = [b(vector) for vector in range(vectors)]
    k = loaded[0].builder
    weights = [k.widened(value) for value in loaded]
    for row in rows:
        scalar = k.broadcast(k.widened(a(row)), weights[0].kind.lanes)
        for vector in range(vectors):
            place = row * vectors + vector
            new[place] = k.fma(scalar, weights[vector], new[place])
    return new


def registers(k: GroupKernel, values: Sequence[Any], kinds: Sequence[Kind]) -> list[Register]:
    """Numbers among `values` (where a loop dissolved) as registers."""
    return [
        v if isinstance(v, Register) else k.number(v, kind)
        for v, kind in zip(values, kinds, strict=True)
    ]


def finish_tile(
    k: GroupKernel,
    sums: Sequence[Register],
    rows: int,
    columns: Columns,
    position: Callable[[int, Index], Position],
) -> None:
    """Bias, residual, activation and the group's elementwise work on a tile; then write it."""
    for row in range(rows):
        for vector in range(columns.vectors):
            place = position(row, columns.first + vector * k.lanes)
            mask = columns.mask_of(vector)
            value = activated(k, sums[row * columns.vectors + vector], place, mask)
            k.finish(value, place, mask)


def activated(k: GroupKernel, value: Any, place: Position, mask: Mask) -> Register:
    """A sum with bias, residual and activation."""
    anchor = k.group.head
    bias, residual = (
        ([*anchor.inputs, None, None][2:4]) if not isinstance(anchor.op, Matmul) else (None, None)
    )
    for operand in (bias, residual):
        if operand is not None:
            given = load_at(k, operand, place, anchor.shape, value.kind.lanes, mask)
            value = value + k.widened(given)
    activation = getattr(anchor.op, "activation", None)
    result: Register = value if activation is None else activation.formula(k.mathematics, value)
    return result


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
        fixed_rows(k, tile, (outer, inner), columns, depth, body)
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


def fixed_rows(
    k: GroupKernel,
    tile: Tile,
    rows: tuple[DimLike, int],
    columns: int,
    depth: Index,
    body: Callable[[Index, Index, int, Columns], None],
) -> None:
    """`tiles_over_rows` for a known number of inner rows: tiles of even heights in stretches."""
    outer, inner = rows
    tiles = EvenTiles(inner, tile.rows)
    span = choose_span(k.target, tile, inner) if inner < tile.rows or inner == 1 else 1
    blocks = ColumnTiles.of(k, columns, tile.vectors, span)
    # threads that share rows, not columns, find what they made themselves in their own caches
    shares = TASKS if inner >= columns else 1
    stretch = -(-tiles.count // shares)
    if isinstance(depth, int):
        near = near_rows(k.target, tile, inner, depth, blocks.count)
        stretch = min(stretch, max(1, near // tile.rows))

    many = blocks.count * (outer if isinstance(outer, int) else 1)
    turns = even_turns(tiles.count, stretch, -(-MANY_TASKS // many))
    sizes = (-(-tiles.count // turns), blocks.count)

    def task(n: Index, m: Index, f: Index) -> None:
        def tile_rows(part: Columns, number: Index) -> None:
            tiles.at(k, number, lambda first, height: body(n, first, height, part))

        def block(part: Columns) -> None:
            first = k.multiply(m, turns)
            stop = k.minimum(k.add(first, turns), tiles.count)
            if turns == 1:
                tile_rows(part, first)
            else:
                k.loop("t", first, stop, lambda number: tile_rows(part, number))

        blocks.at(f, block)

    cost = k.multiply(depth, -(-inner * columns // (sizes[0] * sizes[1])))
    parallel_stretches(k, {"n": k.dim(outer)}, sizes, stretch // turns, task, cost=cost)


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

    def every_column(n: Index, m: Index, height: int) -> None:
        k.loop("f", 0, full, lambda f: body(n, m, height, Columns(f, tile.vectors)), step=step)

        def rest(f: Index) -> None:
            body(n, m, height, Columns(f, 1, k.tail_mask(width - f, k.lanes)))

        k.loop("f", full, width, rest, step=k.lanes)

    done: Index = 0
    for height in (tile.rows, 1)[: tile.rows]:
        tiles = k.quotient(k.subtract(total, done), height)

        def some(n: Index, m: Index, start: Index = done, height: int = height) -> None:
            every_column(n, k.add(start, k.multiply(m, height)), height)

        cost = k.multiply(width, height)
        k.parallel({"n": k.dim(rows[0]), "m": tiles}, some, cost=cost)
        done = k.add(done, k.multiply(tiles, height))


def over_tiles(
    k: GroupKernel,
    first: Index,
    stop: Index,
    heights: Sequence[int],
    body: Callable[[Sequence[Index]], None],
) -> None:
    """body(adjacent rows) until all rows are covered, by tiles of ever lower heights."""
    for height in heights:
        end = first + k.subtract(stop, first) // height * height

        def tile(row: Index, height: int = height) -> None:
            body([row + i for i in range(height)])

        k.loop("m", first, end, tile, step=height)
        first = end
