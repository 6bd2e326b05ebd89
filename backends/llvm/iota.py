"""Numbers of places along an axis."""

from __future__ import annotations

from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import INDEX, Index, Mask, Register
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.pointwise import for_each_vector
from kerac.ir.ops.iota import Iota


@lowers(Iota, epilogue=False)
def lower_iota(lowering: Lowering, group: Group) -> None:
    """y[..., i, ...] = i"""
    k = lowering.kernel(group)
    op, y = group.head_op(Iota), k.write(group.root)
    before, after = op.shape[: op.axis], op.shape[op.axis + 1 :]
    length, width = k.dim(op.shape[op.axis]), prod(after, start=1)

    def row(outer: Index, place: Index) -> None:
        index = place if isinstance(place, Register) else k.number(place, INDEX)
        number = k.convert(index, op.dtype)
        start = (outer * length + place) * k.dim(width)

        def vector(column: Index, lanes: int, mask: Mask) -> None:
            k.store(y, k.add(start, column), k.broadcast(number, lanes), mask)

        for_each_vector(k, "column", width, vector)

    def block(outer: Index) -> None:
        k.loop("place", 0, length, lambda place: row(outer, place))

    k.loop("outer", 0, k.dim(prod(before, start=1)), block)
    lowering.launch(k)
