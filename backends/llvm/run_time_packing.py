"""Packing the right side of a product at every run, where it is no constant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Pointer
from kerac.backends.llvm.lowering import GroupKernel, Lowering
from kerac.backends.llvm.packing import constant_array, packed_array, padded
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.schedule import BLOCK
from kerac.backends.llvm.transposition import tile_size, transpose_tile
from kerac.ir.dims import DimLike
from kerac.ir.graph import Value
from kerac.ir.types import TensorType, known_shape

MANY_USES = 64  # rows of the left side, from which on weights may be packed at every run


@dataclass(frozen=True)
class Matrices:
    """Matrices [rows, columns] in an array: element (g, r, c) lies at sum of index times step.

    Either `row_step` or `column_step` is 1.
    """

    array: Value
    count: DimLike
    rows: DimLike
    columns: int
    step: DimLike
    row_step: DimLike
    column_step: DimLike = 1

    @property
    def packed_size(self) -> DimLike:
        """Elements of one matrix when it is packed."""
        return self.rows * padded(self.columns)


def packed_weights(
    lowering: Lowering, group: Group, kernel: Value, rows: DimLike, groups: int = 1
) -> Buffer | None:
    """kernel: [*window, C, groups * F] as the packed matrices of its groups, one after the other.

    Weights that are not constant are packed at every run where it pays; else nothing is packed.
    """
    array = constant_array(kernel)
    if array is not None:
        return lowering.constant(packed_array(lowering, array, groups), "weights")
    *inputs, width = known_shape(kernel.shape)
    matrices = Matrices(kernel, groups, prod(inputs), width // groups, width // groups, width)
    return pack_at_run_time(lowering, group, matrices) if pays(lowering, matrices, rows) else None


def pays(lowering: Lowering, matrices: Matrices, uses: DimLike) -> bool:
    """Whether packing is worth its time: matrices leave the cache and have many `uses`, or may."""
    if isinstance(uses, int) and uses < MANY_USES:
        return False
    size = matrices.rows * matrices.columns * matrices.array.tensor_type.numpy_dtype.itemsize
    return not isinstance(size, int) or size > lowering.target.second_level_cache


def pack_at_run_time(lowering: Lowering, group: Group, matrices: Matrices) -> Buffer:
    """A kernel that does what `pack_columns` does, for one matrix after the other."""
    dtype = matrices.array.tensor_type.dtype
    type_ = TensorType(dtype, (matrices.count * matrices.packed_size,))
    target = lowering.scratch(type_, "weights")
    k = lowering.kernel(group, "pack_weights")
    source, sink = k.read(matrices.array), k.write(target)
    columns, rows = matrices.columns, k.dim(matrices.rows)
    full = columns // BLOCK
    copy = _copy_rows if matrices.column_step == 1 else _turn_rows

    def block(g: Index, f: Index) -> None:
        from_ = k.multiply(g, k.dim(matrices.step))
        to = k.multiply(g, k.dim(matrices.packed_size))

        def columns_of(first: Index, width: int) -> None:
            start = k.add(from_, k.multiply(first, k.dim(matrices.column_step)))
            copy(k, matrices, source, sink, start, k.add(to, k.multiply(first, rows)), width)

        if full:
            inside = k.compare("less", f, full) if columns % BLOCK else True
            k.when(inside, lambda: columns_of(k.multiply(f, BLOCK), BLOCK))
        if columns % BLOCK:
            last = k.compare("equal", f, full)
            k.when(last, lambda: columns_of(full * BLOCK, columns % BLOCK))

    blocks = -(-columns // BLOCK)
    cost = k.multiply(rows, BLOCK * ELEMENT)
    k.parallel({"g": k.dim(matrices.count), "f": blocks}, block, cost=cost)
    lowering.launch(k)
    return target


def _copy_rows(
    k: GroupKernel,
    matrices: Matrices,
    source: Pointer,
    sink: Pointer,
    start: Index,
    target: Index,
    width: int,
) -> None:
    """A block of `width` columns whose rows lie whole in the source."""
    places, step = padded(width), k.dim(matrices.row_step)

    def row(r: Index) -> None:
        for inside in range(0, places, k.lanes):
            left = width - inside
            value = k.number(0.0, Kind(source.dtype, k.lanes))
            if left > 0:
                place = k.add(start, k.multiply(r, step)) + inside
                value = k.load(source, place, k.lanes, k.tail_mask(left, k.lanes))
            k.store(sink, k.add(target, k.multiply(r, places)) + inside, value)

    k.loop("r", 0, k.dim(matrices.rows), row)


def _turn_rows(
    k: GroupKernel,
    matrices: Matrices,
    source: Pointer,
    sink: Pointer,
    start: Index,
    target: Index,
    width: int,
) -> None:
    """A block of `width` columns that lie whole in the source: square tiles are transposed."""
    places, size = padded(width), tile_size(k.target, source.dtype)
    step, rows = k.dim(matrices.column_step), k.dim(matrices.rows)
    full = rows // size * size

    def tile(r: Index, height: Index, inside: int) -> None:
        vectors = []
        for column in range(inside, inside + size):
            value = k.number(0.0, Kind(source.dtype, size))
            if column < width:
                place = k.add(start, k.multiply(step, column)) + r
                value = k.load(source, place, size, k.tail_mask(height, size))
            vectors.append(value)
        for number, value in enumerate(transpose_tile(k, vectors)):
            place = k.add(target, k.multiply(k.add(r, number), places)) + inside
            k.when(k.compare("less", number, height), partial(k.store, sink, place, value))

    def tiles(r: Index, height: Index) -> None:
        for inside in range(0, places, size):
            tile(r, height, inside)

    k.loop("r", 0, full, lambda r: tiles(r, size), step=size)
    rest = k.subtract(rows, full)
    k.when(k.compare("greater", rest, 0), lambda: tiles(full, rest))
