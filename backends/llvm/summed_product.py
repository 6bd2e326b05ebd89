"""Products that sum over far more rows than they have results: gradients of weights.

The rows are cut into parts of a fixed size, which stay in the second-level cache while all tiles
of the result read them; the results of the parts are added in order. So neither the number of
threads nor that of rows changes the order of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from kerac.backends.llvm.elementwise import for_each_element
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Mask
from kerac.backends.llvm.lowering import GroupKernel, Lowering
from kerac.backends.llvm.packing import Columns, ColumnTiles, RowMajor
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import Position, epilogue_shapes, offset
from kerac.backends.llvm.register_tiles import fused_multiply_add, registers
from kerac.backends.llvm.schedule import choose_tile
from kerac.ir.dims import DimLike, known_dim, substitute, symbols_of
from kerac.ir.graph import Value
from kerac.ir.ops.contraction import Matmul
from kerac.ir.types import TensorType, known_shape

PART = 256  # rows of both operands whose products one task sums
TYPICAL = 32  # stands for lengths that are not known
FEWEST_PARTS = 4


def sums_many_rows(product: Value) -> bool:
    """Whether a matrix product sums so many rows that parts of them are worth tasks of their own.

    The results of all parts are to take no more memory than the operands do.
    """
    op, a = product.op, product.operands[0]
    if not isinstance(op, Matmul) or not op.transpose_a or op.transpose_b or product.ndim != 2:
        return False
    rows, columns = product.shape
    if not isinstance(rows, int) or not isinstance(columns, int):
        return False
    depth = a.shape[0]
    typical = known_dim(substitute(depth, dict.fromkeys(symbols_of(depth), TYPICAL)))
    return typical >= FEWEST_PARTS * PART and rows * columns <= PART * (rows + columns)


def lower_sum_over_rows(lowering: Lowering, group: Group) -> None:
    """y[m, f] = sum over c of a[c, m] * b[c, f]"""
    anchor = group.head
    depth = anchor.operands[0].shape[0]
    count = (depth + PART - 1) // PART
    parts = lowering.scratch(TensorType(anchor.dtype, (count, *anchor.shape)), "parts")
    _sum_parts(lowering, group, parts, depth, count)
    add_parts(lowering, group, parts, count)


def add_parts(lowering: Lowering, group: Group, parts: Buffer, count: DimLike) -> None:
    """The group's result: `count` arrays of the shape of its anchor added in order."""
    anchor = group.head
    size = prod(known_shape(anchor.shape))
    k = lowering.kernel(group, "joined")
    source = k.read(parts)

    def element(position: Position, lanes: int, mask: Mask) -> None:
        place = offset(k, position, anchor.shape, anchor.shape)
        kind = Kind(anchor.dtype, lanes)

        def add(part: Index, total: Any) -> Any:
            return total + k.load(source, part * size + place, lanes, mask)

        (total,) = k.loop("part", 0, k.dim(count), add, carried=[0.0], kinds=[kind])
        k.finish(registers(k, [total], [kind])[0], position, mask)

    for_each_element(k, anchor.shape, epilogue_shapes(k), element)
    lowering.launch(k)


def _sum_parts(
    lowering: Lowering, group: Group, parts: Buffer, depth: DimLike, count: DimLike
) -> None:
    anchor = group.head
    rows, columns = known_shape(anchor.shape)
    k: GroupKernel = lowering.kernel(group)
    left, right, target = *map(k.read, anchor.operands), k.write(parts)
    weights = RowMajor(right, k.lanes, columns)
    tile = choose_tile(k.target, rows, -(-columns // k.lanes), 4)
    full = rows // tile.rows * tile.rows
    blocks = ColumnTiles.of(k, columns, tile.vectors)

    def part(number: Index) -> None:
        first = k.multiply(number, PART)
        stop = k.minimum(k.add(first, PART), k.dim(depth))
        start = k.multiply(number, rows * columns)

        def sums(m: Index, height: int, some: Columns) -> None:
            def step(c: Index, *totals: Any) -> Sequence[Any]:
                following = c * columns + some.first + some.vectors * k.lanes
                for vector in range(some.vectors):  # of the next stripe, whose rows lie far apart
                    k.prefetch(right, following + vector * k.lanes)
                return fused_multiply_add(
                    totals,
                    range(height),
                    some.vectors,
                    lambda row: k.load(left, c * rows + m + row),
                    lambda vector: weights.load(k, some, vector, c),
                )

            kinds = [Kind(anchor.dtype, k.lanes)] * (height * some.vectors)
            found = k.loop("c", first, stop, step, carried=[0.0] * len(kinds), kinds=kinds)
            for place, value in enumerate(registers(k, found, kinds)):
                row, vector = divmod(place, some.vectors)
                at = start + (m + row) * columns + some.first + vector * k.lanes
                k.store(target, at, value, some.mask_of(vector))

        def stripe(some: Columns) -> None:
            k.loop("m", 0, full, lambda m: sums(m, tile.rows, some), step=tile.rows)
            if rows > full:
                sums(full, rows - full, some)

        blocks.each(stripe)

    k.parallel({"part": k.dim(count)}, part, cost=PART * rows * columns)
    lowering.launch(k)
