"""Sums of all elements up to each one: lines side by side are vectors."""

from __future__ import annotations

from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask, Register
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.ir.ops.cumulative import CumulativeSum
from kerac.ir.types import computing_dtype


@lowers(CumulativeSum, epilogue=False)
def lower_cumulative_sum(lowering: Lowering, group: Group) -> None:
    """y[..., i, ...] = x[..., i, ...] + y[..., i - 1, ...]"""
    op, x = group.head_op(CumulativeSum), group.head.operands[0]
    k = lowering.kernel(group)
    source, target = k.read(x), k.write(group.root)
    length, width = k.dim(x.shape[op.axis]), k.dim(prod(x.shape[op.axis + 1 :], start=1))
    single = x.shape[op.axis + 1 :] == () or width == 1
    lanes = 1 if single else k.lanes
    dtype = computing_dtype(x.dtype)

    def line(outer: Index, column: Index, mask: Mask) -> None:
        start = k.add(k.multiply(k.multiply(outer, length), width), column)

        def step(i: Index, total: Register) -> tuple[Register]:
            place = k.subtract(k.subtract(length, 1), i) if op.reverse else i
            at = k.add(start, k.multiply(place, width))
            total = total + k.convert(k.load(source, at, lanes, mask), dtype)
            k.store(target, at, k.convert(total, x.dtype), mask)
            return (total,)

        k.loop("i", 0, length, step, carried=(k.number(0, Kind(dtype, lanes)),))

    def task(outer: Index, number: Index) -> None:
        column = k.multiply(number, lanes)
        line(outer, column, k.tail_mask(k.subtract(width, column), lanes))

    vectors = k.quotient(k.add(width, lanes - 1), lanes)
    extents = {"outer": k.dim(prod(x.shape[: op.axis], start=1)), "column": vectors}
    k.parallel(extents, task, cost=k.multiply(length, 2 * ELEMENT * lanes))
    lowering.launch(k)
