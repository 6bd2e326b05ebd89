"""Products that sum over far more rows than they have results: gradients of weights.

The rows are cut into a fixed number of parts, each of which is summed into results of its own, some
rows after the others; these are added in order. So the number of threads does not change the order
of a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from kerac.backends.llvm.elementwise import for_each_element
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Mask
from kerac.backends.llvm.lowering import Lowering
from kerac.backends.llvm.packing import Columns, ColumnTiles, RowMajor
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import Position, epilogue_shapes, offset
from kerac.backends.llvm.register_tiles import fused_multiply_add, registers
from kerac.backends.llvm.schedule import choose_tile
from kerac.backends.llvm.widening import widened
from kerac.ir.dims import DimLike, known_dim, substitute, symbols_of
from kerac.ir.graph import Value
from kerac.ir.ops.contraction import Matmul
from kerac.ir.types import TensorType, computing_dtype, known_shape

PARTS = 8
NEAR = 128  # rows of both operands that stay in the second-level cache while all tiles read them
FEWEST = PARTS * NEAR  # rows that are worth parts
TYPICAL = 32  # stands for lengths that are not known


def sums_many_rows(product: Value) -> bool:
    """Whether a matrix product sums so many rows that parts of them are worth tasks of their own.

    The results, read and written once for some rows, are to take little more than those do.
    """
    op, a = product.op, product.operands[0]
    if not isinstance(op, Matmul) or not op.transpose_a or op.transpose_b or product.ndim != 2:
        return False
    rows, columns = product.shape
    if not isinstance(rows, int) or not isinstance(columns, int):
        return False
    depth = a.shape[0]
    typical = known_dim(substitute(depth, dict.fromkeys(symbols_of(depth), TYPICAL)))
    return typical >= FEWEST and rows * columns <= 2 * NEAR * (rows + columns)


def lower_sum_over_rows(lowering: Lowering, group: Group) -> None:
    """y[m, f] = sum over c of a[c, m] * b[c, f]"""
    shape = known_shape(group.head.shape)
    type_ = TensorType(computing_dtype(group.head.dtype), (PARTS, *shape))
    parts = lowering.scratch(type_, "parts")
    _Sums(lowering, group, parts).emit()
    add_parts(lowering, group, parts, PARTS)


def add_parts(lowering: Lowering, group: Group, parts: Buffer, count: DimLike) -> None:
    """The group's result: `count` arrays of the shape of its anchor added in order."""
    anchor = group.head
    size = prod(known_shape(anchor.shape))
    k = lowering.kernel(group, "joined")
    source = k.read(parts)

    def element(position: Position, lanes: int, mask: Mask) -> None:
        place = offset(k, position, anchor.shape, anchor.shape)
        kind = Kind(computing_dtype(anchor.dtype), lanes)

        def add(part: Index, total: Any) -> Any:
            return total + k.load(source, part * size + place, lanes, mask)

        (total,) = k.loop("part", 0, k.dim(count), add, carried=[0.0], kinds=[kind])
        k.finish(registers(k, [total], [kind])[0], position, mask)

    for_each_element(k, anchor.shape, epilogue_shapes(k), element)
    lowering.launch(k)


class _Sums:
    """The kernel that sums each part of the rows."""

    def __init__(self, lowering: Lowering, group: Group, parts: Buffer) -> None:
        anchor = group.head
        self.lowering, self.k = lowering, lowering.kernel(group)
        self.depth = anchor.operands[0].shape[0]
        self.rows, self.columns = known_shape(anchor.shape)
        a, b = anchor.operands
        self.left, self.right = self.k.read(widened(lowering, a)), self.k.read(b)
        self.parts = self.k.write(parts)
        self.kind = Kind(parts.type.dtype, self.k.lanes)
        self.tile = choose_tile(self.k.target, self.rows, -(-self.columns // self.k.lanes), 4)
        self.blocks = ColumnTiles.of(self.k, self.columns, self.tile.vectors)

    def emit(self) -> None:
        """Build and launch the kernel."""
        k, depth = self.k, self.depth
        length = (depth + PARTS - 1) // PARTS

        def part(number: Index) -> None:
            first = k.multiply(number, k.dim(length))
            stop = k.minimum(k.add(first, k.dim(length)), k.dim(depth))
            start = k.multiply(number, self.rows * self.columns)
            self._over_tiles(lambda m, height, some: self._clear(start, m, height, some))

            def some_rows(begin: Index) -> None:
                span = begin, k.minimum(k.add(begin, NEAR), stop)
                self._over_tiles(lambda m, height, some: self._add(start, span, m, height, some))

            k.loop("b", first, stop, some_rows, step=NEAR)

        k.parallel({"part": PARTS}, part, cost=k.dim(length * self.rows * self.columns))
        self.lowering.launch(k)

    def _over_tiles(self, body: Callable[[Index, int, Columns], None]) -> None:
        """body(first row, number of rows, columns) for tiles of the result, stripe by stripe."""
        height = self.tile.rows
        full = self.rows // height * height

        def stripe(some: Columns) -> None:
            body(0, height, some)
            self.k.loop("m", height, full, lambda m: body(m, height, some), step=height)
            if self.rows > full:
                body(full, self.rows - full, some)

        self.blocks.each(stripe)

    def _places(
        self, start: Index, m: Index, height: int, some: Columns
    ) -> list[tuple[Index, Mask]]:
        """Where the vectors of a tile lie in its part, and their masks."""
        return [
            (
                start + (m + row) * self.columns + some.first + vector * self.k.lanes,
                some.mask_of(vector),
            )
            for row in range(height)
            for vector in range(some.vectors)
        ]

    def _clear(self, start: Index, m: Index, height: int, some: Columns) -> None:
        zeros = self.k.number(0.0, self.kind)
        for place, mask in self._places(start, m, height, some):
            self.k.store(self.parts, place, zeros, mask)

    def _add(
        self, start: Index, span: tuple[Index, Index], m: Index, height: int, some: Columns
    ) -> None:
        """Add the products of a span of rows to a tile."""
        k, columns = self.k, self.columns
        weights = RowMajor(self.right, k.lanes, columns)
        width = some.vectors * k.lanes
        # rows of a stripe lie far apart: those of the next stripe, and of the next span
        ahead = [width] if m != 0 else [width, NEAR * columns]

        def step(c: Index, *totals: Any) -> Sequence[Any]:
            first = c * columns + some.first
            for distance in ahead:
                for vector in range(some.vectors):
                    k.prefetch(self.right, first + distance + vector * k.lanes)
            return fused_multiply_add(
                totals,
                range(height),
                some.vectors,
                lambda row: k.load(self.left, c * self.rows + m + row),
                lambda vector: weights.load(k, some, vector, c),
            )

        places = self._places(start, m, height, some)
        kinds = [self.kind] * len(places)
        before = [k.load(self.parts, place, k.lanes, mask) for place, mask in places]
        found = k.loop("c", *span, step, carried=before, kinds=kinds)
        for (place, mask), value in zip(places, registers(k, found, kinds), strict=True):
            k.store(self.parts, place, value, mask)
