"""Rows of a table by number, and sums into them; a number outside takes the nearest row."""

from __future__ import annotations

from math import prod

from kerac.backends.llvm.elementwise import collapse
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.pointwise import Part, Position, epilogue_shapes, for_each_vector
from kerac.ir.dims import Dim, DimLike
from kerac.ir.ops.movement import Gather, ScatterAdd


@lowers(Gather)
def lower_gather(lowering: Lowering, group: Group) -> None:
    """y[i, j] = table[clamp(indices[i]), j]"""
    anchor = group.head
    table, indices = anchor.operands
    k = lowering.kernel(group)
    whole, rows, count = anchor.shape, indices.ndim, table.shape[0]
    # a span ends where the axes of the indices end, even if they have length 1
    mark = (-1,) * rows + tuple(whole[rows:])
    spans = collapse(whole, [mark, *epilogue_shapes(k)])
    outer = [span for span in spans if span[0] < rows]
    inner = spans[len(outer) :]
    source, numbers = k.read(table), k.read(indices)
    width = prod(table.shape[1:], start=1)

    lengths = [k.dim(prod(whole[first:last], start=1)) for first, last in outer]

    def pick(*at: Index) -> None:
        number: Index = 0
        for length, index in zip(lengths, at, strict=True):
            number = k.add(k.multiply(number, length), index)
        row = clamped(k, k.load(numbers, number), count)
        parts = tuple(Part(index, *span) for index, span in zip(at, outer, strict=True))
        copy(0, parts, k.multiply(row, k.dim(width)))

    def copy(place: int, parts: tuple[Part, ...], start: Index) -> None:
        if place >= len(inner) - 1:
            _copy_row(k, source, inner[place:], width, parts, start)
            return
        first, last = inner[place]
        step = k.dim(prod(whole[last:], start=1))
        k.loop(
            f"j{first}",
            0,
            k.dim(prod(whole[first:last], start=1)),
            lambda e: copy(
                place + 1, (*parts, Part(e, first, last)), k.add(start, k.multiply(e, step))
            ),
        )

    # a table without rows has no nearest one
    filled = k.compare("greater", k.dim(count), 0) if isinstance(count, Dim) else count > 0
    extents = {f"i{first}": length for (first, _), length in zip(outer, lengths, strict=True)}
    cost = k.multiply(k.dim(width), 2 * ELEMENT)
    k.when(filled, lambda: k.parallel(extents, pick, cost=cost))
    lowering.launch(k)


def _copy_row(
    k: GroupKernel,
    source: Pointer,
    spans: list[tuple[int, int]],
    width: DimLike,
    parts: tuple[Part, ...],
    start: Index,
) -> None:
    """The last span of a row, or the one element that a row is."""
    if not spans:
        k.finish(k.load(source, start), Position(parts))
        return
    first, last = spans[0]

    def vector(j: Index, lanes: int, mask: Mask) -> None:
        value = k.load(source, k.add(start, j), lanes, mask)
        k.finish(value, Position((*parts, Part(j, first, last))), mask)

    for_each_vector(k, "j", prod(k.group.head.shape[first:last], start=1), vector)


def clamped(k: GroupKernel, number: Register, count: DimLike) -> Index:
    """A row number of any integer dtype as an index into `count` rows."""
    last = k.subtract(k.dim(count), 1)
    row: Index
    if number.kind.is_unsigned:
        limit = k.bitcast(last, "u64") if isinstance(last, Register) else last
        row = k.bitcast(k.minimum(k.convert(number, "u64"), limit), "i64")
    else:
        row = k.maximum(k.minimum(k.convert(number, "i64"), last), 0)
    return row


@lowers(ScatterAdd, epilogue=False)
def lower_scatter_add(lowering: Lowering, group: Group) -> None:
    """y[clamp(indices[i]), j] += updates[i, j], for one i after the other

    Tasks share out the columns, so that each row's sum has one order.
    """
    op = group.head_op(ScatterAdd)
    indices, updates = group.head.operands
    k = lowering.kernel(group)
    numbers, source, target = k.read(indices), k.read(updates), k.write(group.root)
    rows, width = k.dim(op.rows), k.dim(updates.shape[1])

    def columns(j: Index, lanes: int, mask: Mask) -> None:
        def clear(row: Index) -> None:
            k.store(target, row * width + j, k.number(0, Kind(updates.dtype, lanes)), mask)

        def add(i: Index) -> None:
            place = clamped(k, k.load(numbers, i), op.rows) * width + j
            total = k.load(target, place, lanes, mask) + k.load(source, i * width + j, lanes, mask)
            k.store(target, place, total, mask)

        k.loop("r", 0, rows, clear)
        k.loop("i", 0, k.dim(updates.shape[0]), add)

    filled = k.compare("greater", rows, 0) if isinstance(op.rows, Dim) else op.rows > 0
    vectors = k.quotient(k.add(width, k.lanes - 1), k.lanes)
    cost = k.multiply(k.dim(updates.shape[0]), 3 * ELEMENT * k.lanes)

    def task(number: Index) -> None:
        j = k.multiply(number, k.lanes)
        columns(j, k.lanes, k.tail_mask(k.subtract(width, j), k.lanes))

    k.when(filled, lambda: k.parallel({"j": vectors}, task, cost=cost))
    lowering.launch(k)
