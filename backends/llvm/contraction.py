"""Dense and Matmul: one product, whichever way its operands lie, the epilogue fused."""

from __future__ import annotations

from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.movement import lower_view
from kerac.backends.llvm.packing import DEEP, FAR, STREAM, Packed, RowMajor, WeightMatrix, padded
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.product import Left, Product, Right, Rows, split_rows
from kerac.backends.llvm.run_time_packing import (
    Matrices,
    pack_at_run_time,
    packed_weights,
    pays,
)
from kerac.backends.llvm.summed_product import lower_sum_over_rows, sums_many_rows
from kerac.backends.llvm.widening import widened
from kerac.ir.dims import DimLike
from kerac.ir.graph import Value
from kerac.ir.ops.contraction import Dense, Matmul
from kerac.ir.ops.movement import Transpose
from kerac.ir.types import Shape


@lowers(Dense, reads_pieces=(0, 3))
def lower_dense(lowering: Lowering, group: Group) -> None:
    """y[m, f] = sum over c of x[m, c] * kernel[c, f]"""
    x, kernel = group.head.operands[:2]
    multiply_rows(lowering, group, x.shape[:-1], kernel)


def multiply_rows(lowering: Lowering, group: Group, leading: Shape, kernel: Value) -> None:
    """One kernel for x[*leading, C] times a matrix [C, F], which is packed where it pays."""
    x = widened(lowering, group.head.operands[0])
    inputs, columns = kernel.shape[-2:]
    rows = split_rows(leading)
    packed = packed_weights(lowering, group, kernel, rows.inner)
    k = lowering.kernel(group)
    is_image = isinstance(rows.inner, int) and rows.inner > 1
    weights: WeightMatrix
    if packed is not None:
        # what a batch's rows read once is streamed as it comes; a fetched tile would go unused
        ahead = _ahead(inputs, columns) if is_image else None
        weights = Packed(k.read(packed), inputs, columns, k.lanes, ahead=ahead)
    else:
        weights = RowMajor(k.read(kernel), k.lanes, columns)
    pitch = k.row_pitch(x)
    left = Left(k.read(x), k.multiply(k.dim(rows.inner), pitch), pitch, is_far=is_image)
    Product(k, left, Right(weights), rows, columns, inputs).emit()
    lowering.launch(k)


def _ahead(inputs: int, columns: int) -> int | None:
    """What is fetched while weights are read: the next tile, or the next steps of deep sums."""
    if inputs * columns < FAR:
        return None
    return 0 if inputs <= DEEP else STREAM


@lowers(Matmul)
def lower_matmul(lowering: Lowering, group: Group) -> None:
    """y[n, m, f] = sum over c of a[n, m, c] or a[n, c, m] times b[n, c, f] or b[n, f, c]

    The rows of a transposed left operand lie side by side for every step of the sum, so it is read
    where it is; a transposed right operand is turned round first, once.
    """
    if sums_many_rows(group.head):
        lower_sum_over_rows(lowering, group)
        return
    anchor, op = group.head, group.head_op(Matmul)
    a, b = widened(lowering, anchor.operands[0]), anchor.operands[1]
    *outer, inner, columns = anchor.shape
    depth = a.shape[-2] if op.transpose_a else a.shape[-1]
    rows = Rows(prod(outer, start=1), inner, len(outer))
    packed = pack_right(lowering, group, rows, depth, columns)
    plain = b if packed or not op.transpose_b else turned(lowering, b)
    k = lowering.kernel(group)
    length, width, steps = k.dim(inner), k.dim(columns), k.dim(depth)
    row_step, inner_step = (1, length) if op.transpose_a else (steps, 1)
    is_far = not op.transpose_a and not isinstance(inner, int)
    left = Left(k.read(a), k.multiply(length, steps), row_step, inner_step, is_far)
    if packed is not None:
        weights = Packed(k.read(packed), steps, columns, k.lanes)
        right = Right(weights, k.multiply(steps, padded(columns)))
    else:
        right = Right(RowMajor(k.read(plain), k.lanes, width), k.multiply(steps, width))
    Product(k, left, right, rows, columns, steps).emit()
    lowering.launch(k)


def pack_right(
    lowering: Lowering, group: Group, rows: Rows, depth: DimLike, columns: DimLike
) -> Buffer | None:
    """The right sides of a matrix product in blocks of columns, where that pays."""
    if not isinstance(columns, int):
        return None
    b, size = group.head.operands[1], depth * columns
    if not group.head_op(Matmul).transpose_b:
        matrices = Matrices(b, rows.outer, depth, columns, size, columns)
        if not pays(lowering, matrices, rows.inner):
            return None
    else:
        matrices = Matrices(b, rows.outer, depth, columns, size, 1, depth)
    return pack_at_run_time(lowering, group, matrices)


def turned(lowering: Lowering, x: Value) -> Buffer:
    """A buffer of the group that holds x with its last two axes exchanged."""
    axes = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    value = Transpose(axes)(x, name=f"{x.name}_turned")
    lower_view(lowering, Group((value,), value))
    return lowering.buffer(value)
