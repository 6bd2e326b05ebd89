"""Rows of a table changed by number, one update after the other."""

from __future__ import annotations

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Mask
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.ir.graph import Value
from kerac.ir.ops.scatter import Scatter

TRUTH = {"add": "or", "maximum": "or", "multiply": "and", "minimum": "and"}


@lowers(Scatter, epilogue=False)
def lower_scatter(lowering: Lowering, group: Group) -> None:
    """y[v, j] = table[v, j], combined with updates[i, j] for all i with indices[i] = v

    Tasks share out the columns, so that each row is changed in one order.
    """
    table, indices, updates = group.head.operands
    k = lowering.kernel(group)
    source, numbers, news = k.read(table), k.read(indices), k.read(updates)
    target = k.write(group.root)
    rows, width = k.dim(table.shape[0]), k.dim(table.shape[1])
    reduction = group.head_op(Scatter).reduction
    operation = TRUTH.get(reduction, reduction) if table.dtype == "bool" else reduction

    def columns(j: Index, mask: Mask) -> None:
        def keep(row: Index) -> None:
            at = k.add(k.multiply(row, width), j)
            k.store(target, at, k.load(source, at, k.lanes, mask), mask)

        def change(i: Index) -> None:
            number = k.convert(k.load(numbers, i), "i64")

            def combine() -> None:
                at = k.add(k.multiply(number, width), j)
                new = k.load(news, k.add(k.multiply(i, width), j), k.lanes, mask)
                if operation != "set":
                    new = k.compute(operation, k.load(target, at, k.lanes, mask), new)
                k.store(target, at, new, mask)

            inside = k.compute(
                "and", k.compare("greater_equal", number, 0), k.compare("less", number, rows)
            )
            k.when(inside, combine)

        k.loop("r", 0, rows, keep)
        k.loop("i", 0, k.dim(updates.shape[0]), change)

    def task(number: Index) -> None:
        j = k.multiply(number, k.lanes)
        columns(j, k.tail_mask(k.subtract(width, j), k.lanes))

    vectors = k.quotient(k.add(width, k.lanes - 1), k.lanes)
    k.parallel({"j": vectors}, task, cost=_cost(k, table, updates))
    lowering.launch(k)


def _cost(k: GroupKernel, table: Value, updates: Value) -> Index:
    """Of a task, which is a column of vectors."""
    cost: Index = k.multiply(
        k.add(k.dim(table.shape[0]), k.dim(updates.shape[0])), 2 * ELEMENT * k.lanes
    )
    return cost
