"""The gradient of a convolution's kernel: register tiles of it, summed over positions.

Images are taken in chunks of a fixed size, each of which sums into a copy of its own; then the
copies are added in order. So the result does not depend on how chunks are shared out.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Mask
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import strides
from kerac.backends.llvm.register_tiles import fused_multiply_add, registers
from kerac.backends.llvm.schedule import Tile, choose_tile
from kerac.backends.llvm.summed_product import add_parts
from kerac.backends.llvm.widening import widened
from kerac.ir.dims import DimLike
from kerac.ir.ops.convolution_gradient import ConvolutionKernelGradient
from kerac.ir.types import TensorType, computing_dtype, known_shape

CHUNK = 8  # images


@lowers(ConvolutionKernelGradient)
def lower_kernel_gradient(lowering: Lowering, group: Group) -> None:
    """y[w, c, f] = sum over n, p of x[n, p * stride + w * dilation, c] * cotangent[n, p, f]"""
    anchor = group.head
    images = anchor.operands[0].shape[0]
    chunks = (images + CHUNK - 1) // CHUNK
    type_ = TensorType(computing_dtype(anchor.dtype), (chunks, *anchor.shape))
    parts = lowering.scratch(type_, "parts")
    _Sums(lowering, group, parts, images, chunks).emit()
    add_parts(lowering, group, parts, chunks)


class _Sums:
    """The kernel that sums each chunk of images into its part."""

    def __init__(
        self, lowering: Lowering, group: Group, parts: Buffer, images: DimLike, chunks: DimLike
    ) -> None:
        self.lowering, self.images, self.chunks = lowering, images, chunks
        self.op = group.head_op(ConvolutionKernelGradient)
        self.shape = known_shape(group.head.shape)
        x, g = group.head.operands
        self.x_shape, self.g_shape = x.shape, g.shape
        self.k = lowering.kernel(group, "kernel_gradient")
        self.x, self.g = self.k.read(widened(lowering, x)), self.k.read(g)
        self.parts = self.k.write(parts)
        self.columns = self.shape[-1] // self.op.groups
        self.tile = choose_tile(
            lowering.target, self.shape[-2], -(-self.columns // self.k.lanes), 4
        )

    def emit(self) -> None:
        k = self.k

        def chunk(c: Index) -> None:
            first = k.multiply(c, CHUNK)
            last = k.minimum(k.add(first, CHUNK), k.dim(self.images))
            self._image(c, first, True)
            k.loop("n", k.add(first, 1), last, lambda n: self._image(c, n, False))

        cost = k.dim(CHUNK * prod(self.g_shape[1:-1], start=1) * prod(self.shape))
        k.parallel({"chunk": k.dim(self.chunks)}, chunk, cost=cost)
        self.lowering.launch(k)

    def _image(self, chunk: Index, n: Index, begins: bool) -> None:
        k, channels = self.k, self.shape[-2]
        for place in product(*map(range, self.shape[:-2])):
            row = 0
            for entry, length in zip(place, self.shape[:-2], strict=True):
                row = row * length + entry

            def window(c: Index, rows: int, place: Any = place, row: int = row) -> None:
                self._columns(chunk, n, place, row * channels + c, c, rows, begins)

            full = channels // self.tile.rows * self.tile.rows
            k.loop("c", 0, full, lambda c: window(c, self.tile.rows), step=self.tile.rows)
            if channels > full:
                window(full, channels - full)

    def _columns(
        self,
        chunk: Index,
        n: Index,
        place: tuple[int, ...],
        row: Index,
        c: Index,
        rows: int,
        begins: bool,
    ) -> None:
        k, lanes, columns = self.k, self.k.lanes, self.columns
        width = self.tile.vectors * lanes
        full = columns // width * width

        def group_of(g: Index) -> None:
            def block(f: Index, vectors: int, mask: Mask) -> None:
                tile = Tile(rows, vectors)
                left = k.add(c, k.multiply(g, self.shape[-2]))
                right = k.add(f, k.multiply(g, columns))
                self._tile(chunk, n, place, row, (left, right), tile, mask, begins)

            k.loop("f", 0, full, lambda f: block(f, self.tile.vectors, None), step=width)
            for f in range(full, columns, lanes):
                block(f, 1, k.tail_mask(columns - f, lanes))

        k.loop("g", 0, self.op.groups, group_of)

    def _tile(
        self,
        chunk: Index,
        n: Index,
        place: tuple[int, ...],
        row: Index,
        first: tuple[Index, Index],
        tile: Tile,
        mask: Mask,
        begins: bool,
    ) -> None:
        """Add the sums over the positions of one image to a tile of the part of its chunk."""
        k, lanes = self.k, self.k.lanes
        kinds = [Kind(computing_dtype(self.x.dtype), lanes)] * (tile.rows * tile.vectors)
        filters = self.shape[-1]
        start = k.add(k.multiply(chunk, prod(self.shape)), first[1])

        def target(number: int) -> Index:
            r, v = divmod(number, tile.vectors)
            place: Index = k.add(start, k.add(k.multiply(k.add(row, r), filters), v * lanes))
            return place

        sums: list[Any] = [0.0] * len(kinds)
        if not begins:
            sums = [k.load(self.parts, target(i), lanes, mask) for i in range(len(kinds))]
        total = self._positions(n, place, first, tile, mask, sums, kinds)
        for number, value in enumerate(registers(k, total, kinds)):
            k.store(self.parts, target(number), value, mask)

    def _positions(
        self,
        n: Index,
        place: tuple[int, ...],
        first: tuple[Index, Index],
        tile: Tile,
        mask: Mask,
        sums: list[Any],
        kinds: list[Kind],
    ) -> Any:
        k, op = self.k, self.op
        x_steps, g_steps = strides(self.x_shape), strides(self.g_shape)
        x_start, g_start = (
            k.add(k.multiply(n, k.dim(steps[0])), start)
            for steps, start in zip((x_steps, g_steps), first, strict=True)
        )
        for entry, spread, step in zip(place, op.dilation, x_steps[1:-1], strict=True):
            x_start = k.add(x_start, k.dim(step * (entry * spread)))

        def nest(axis: int, left: Index, right: Index, values: Any) -> Any:
            if axis == len(place):
                return fused_multiply_add(
                    values,
                    range(tile.rows),
                    tile.vectors,
                    lambda r: k.load(self.x, k.add(left, r)),
                    lambda v: k.load(self.g, k.add(right, v * k.lanes), k.lanes, mask),
                )

            def inside(p: Index, *carried: Any) -> Any:
                x_step = k.dim(x_steps[axis + 1] * op.strides[axis])
                return nest(
                    axis + 1,
                    k.add(left, k.multiply(p, x_step)),
                    k.add(right, k.multiply(p, k.dim(g_steps[axis + 1]))),
                    carried,
                )

            length = k.dim(self.g_shape[axis + 1])
            return k.loop(f"p{axis}", 0, length, inside, carried=values, kinds=kinds)

        return nest(0, x_start, g_start, sums)
