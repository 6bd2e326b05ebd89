"""Matrix products with operands that lie transposed, as gradients of products need them.

The rows of a transposed left operand lie side by side for every step of the sum, so it is read
where it is; a transposed right operand is turned round first, once.
"""

from __future__ import annotations

from math import prod
from typing import Any

from kerac.backends.llvm.contraction import (
    MANY_ROWS,
    finish_tile,
    fused_multiply_add,
    lower_matmul,
    registers,
    symbolic_columns,
    tiles_over_rows,
)
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.movement import lower_view
from kerac.backends.llvm.packing import Columns, RowMajor
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import Part, Position
from kerac.backends.llvm.schedule import choose_tile
from kerac.ir.graph import Value
from kerac.ir.ops.contraction import Matmul
from kerac.ir.ops.movement import Transpose


@lowers(Matmul)
def lower_product(lowering: Lowering, group: Group) -> None:
    """By the way that its operands lie."""
    op = group.head_op(Matmul)
    lower = lower_transposed_product if op.transpose_a or op.transpose_b else lower_matmul
    lower(lowering, group)


def lower_transposed_product(lowering: Lowering, group: Group) -> None:
    """y[n, m, f] = sum over c of a[n, c, m] * b[n, c, f], or of b[n, f, c]"""
    anchor, op = group.head, group.head_op(Matmul)
    a, b = anchor.operands
    rows, columns = anchor.shape[-2:]
    inner = a.shape[-2] if op.transpose_a else a.shape[-1]
    right: Value | Buffer = turned(lowering, b) if op.transpose_b else b
    k = lowering.kernel(group)
    ndim = anchor.ndim
    fixed = columns if isinstance(columns, int) else None
    vectors = -(-fixed // k.lanes) if fixed is not None else 4
    height = rows if isinstance(rows, int) else MANY_ROWS
    row_bytes = inner * 4 if isinstance(inner, int) and not op.transpose_a else 4
    tile = choose_tile(lowering.target, height, vectors, row_bytes)
    x, y = k.read(a), k.read(right)
    depth, width, length = k.dim(inner), k.dim(columns), k.dim(rows)
    row_step, inner_step = (1, length) if op.transpose_a else (depth, 1)

    def tile_at(n: Index, first_row: Index, height: int, part: Columns) -> None:
        start = n * length * depth
        weights = RowMajor(y, k.lanes, width, n * depth * width)

        def step(c: Index, *sums: Any) -> list[Any]:
            return fused_multiply_add(
                sums,
                range(height),
                part.vectors,
                lambda row: k.load(x, start + (first_row + row) * row_step + c * inner_step),
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
    if fixed is not None:
        tiles_over_rows(k, tile, (outer, rows), fixed, depth, tile_at)
    else:
        symbolic_columns(k, tile, (outer, rows), width, tile_at)
    lowering.launch(k)


def turned(lowering: Lowering, x: Value) -> Buffer:
    """A buffer of the group that holds x with its last two axes exchanged."""
    axes = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    value = Transpose(axes)(x, name=f"{x.name}_turned")
    lower_view(lowering, Group((value,), value))
    return lowering.buffer(value)
