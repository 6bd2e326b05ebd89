"""Groups without an anchor: elementwise work over a whole array in as few loops as can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import lcm, prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Mask
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import (
    CHUNK,
    Part,
    Position,
    element_cost,
    epilogue_shapes,
    evaluate_members,
    parallel_vectors,
    spread,
)
from kerac.ir.dims import known_dim
from kerac.ir.graph import Value
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.types import Shape


@lowers(Elementwise)
def lower_elementwise(lowering: Lowering, group: Group) -> None:
    """y[i] = formula(x[i], ...)"""
    k = lowering.kernel(group)

    def element(position: Position, lanes: int, mask: Mask) -> None:
        k.write_root(evaluate_members(k, group, None, position, lanes, mask), position, mask)

    for_each_element(k, group.root.shape, epilogue_shapes(k), element)
    lowering.launch(k)


def for_each_element(
    k: GroupKernel,
    whole: Shape,
    shapes: list[Shape],
    body: Callable[[Position, int, Mask], None],
) -> None:
    """body(position, lanes, mask) over `whole`; axes that `shapes` stretch alike run as one."""
    spans = collapse(whole, shapes)
    if not spans:
        body(Position(()), 1, None)
        return

    if len(spans) > 1 and _rows_run_together(k, whole, shapes, spans[-2:]):
        _over_short_rows(k, whole, [*spans[:-2], (spans[-2][0], spans[-1][1])], body)
        return
    *outer, (first, last) = spans

    def vector(at: Sequence[Index], index: Index, lanes: int, mask: Mask) -> None:
        parts = [Part(i, *span) for i, span in zip(at, outer, strict=True)]
        body(Position((*parts, Part(index, first, last))), lanes, mask)

    extents = {f"i{i}": k.dim(prod(whole[i:j], start=1)) for i, j in outer}
    length = prod(whole[first:last], start=1)
    parallel_vectors(k, extents, length, vector, cost=element_cost(k.group))


def _rows_run_together(
    k: GroupKernel, whole: Shape, shapes: list[Shape], spans: list[tuple[int, int]]
) -> bool:
    """Whether vectors may run over several rows of a last axis that is shorter than they are.

    Each operand is whole along the rows and the axis, or a single row, or a single element.
    """
    (first, middle), (_, last) = spans
    length = whole[middle]
    if last - middle != 1 or not isinstance(length, int) or not 1 < length < k.lanes:
        return False
    for shape in (spread(shape, len(whole)) for shape in shapes):
        along_rows = any(shape[axis] != 1 for axis in range(first, middle))
        if along_rows and tuple(shape[first:last]) != tuple(whole[first:last]):
            return False
    return True


def _over_short_rows(
    k: GroupKernel,
    whole: Shape,
    spans: list[tuple[int, int]],
    body: Callable[[Position, int, Mask], None],
) -> None:
    """body(position, lanes, mask) over rows of a short axis: as many vectors as fill whole rows."""
    *outer, (first, last) = spans
    total, lanes, length = k.dim(prod(whole[first:last], start=1)), k.lanes, known_dim(whole[-1])
    step = lcm(length, lanes)
    full = k.multiply(k.quotient(total, step), step)
    size = max(1, CHUNK // step) * step

    def chunk(*indices: Index) -> None:
        *at, number = indices
        parts = [Part(i, *span) for i, span in zip(at, outer, strict=True)]
        start = k.multiply(number, size)
        stop = k.minimum(k.add(start, size), total)

        def vector(start: Index, number: int, mask: Mask = None) -> None:
            index, phase = k.add(start, number * lanes), number * lanes % length
            body(Position((*parts, Part(index, first, last, phase))), lanes, mask)

        def block(start: Index) -> None:
            for number in range(step // lanes):
                vector(start, number)

        def rest() -> None:
            for number in range(step // lanes):
                left = k.subtract(k.subtract(total, full), number * lanes)
                mask = k.tail_mask(k.maximum(left, 0), lanes)
                k.when(k.compare("greater", left, 0), partial(vector, full, number, mask))

        k.loop("v", start, k.minimum(stop, full), block, step=step)
        k.when(k.compare("less", full, stop), rest)

    extents = {f"i{i}": k.dim(prod(whole[i:j], start=1)) for i, j in outer}
    extents["chunk"] = k.quotient(k.add(total, size - 1), size)
    cost = k.multiply(k.minimum(total, size), element_cost(k.group))
    k.parallel(extents, chunk, cost=cost)


def collapse(whole: Shape, shapes: list[Shape]) -> list[tuple[int, int]]:
    """Spans (first, last) of axes that every operand either has whole or stretches whole."""
    own = [spread(shape, len(whole)) for shape in shapes]
    spans: list[tuple[int, int]] = []
    previous: list[bool] | None = None
    for axis, dim in enumerate(whole):
        if dim == 1 and spans:
            # an axis of length 1 goes with any neighbour
            spans[-1] = (spans[-1][0], axis + 1)
            continue
        stretched = [shape[axis] != dim for shape in own]
        if spans and stretched == previous:
            spans[-1] = (spans[-1][0], axis + 1)
        else:
            spans.append((axis, axis + 1))
        previous = stretched
    return spans


def copy_array(lowering: Lowering, value: Value, source: Buffer, target: Buffer) -> None:
    """target[i] = source[i]"""
    k = lowering.kernel(Group((value,), None), "copy")
    x, y = k.read(source), k.write(target)
    parallel_vectors(
        k,
        {},
        value.tensor_type.size,
        lambda _, i, lanes, mask: k.store(y, i, k.load(x, i, lanes, mask), mask),
        cost=element_cost(k.group),
    )
    lowering.launch(k)
