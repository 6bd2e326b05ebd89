"""Groups without an anchor: elementwise work over a whole array in as few loops as can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Mask
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import (
    Part,
    Position,
    element_cost,
    evaluate_members,
    offset,
    parallel_vectors,
    spread,
)
from kerac.ir.graph import Value
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.types import Shape


@lowers(Elementwise)
def lower_elementwise(lowering: Lowering, group: Group) -> None:
    """y[i] = formula(x[i], ...)"""
    k = lowering.kernel(group)
    root = group.root
    members = set(group.members)
    shapes = [
        operand.shape
        for member in group.members
        for operand in member.operands
        if operand not in members
    ]

    def element(position: Position, lanes: int, mask: Mask) -> None:
        result = evaluate_members(k, group, None, position, lanes, mask)
        k.store(k.write(root), offset(k, position, root.shape, root.shape), result, mask)

    for_each_element(k, root.shape, shapes, element)
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

    *outer, (first, last) = spans

    def vector(at: Sequence[Index], index: Index, lanes: int, mask: Mask) -> None:
        parts = [Part(i, *span) for i, span in zip(at, outer, strict=True)]
        body(Position((*parts, Part(index, first, last))), lanes, mask)

    extents = {f"i{i}": k.dim(prod(whole[i:j], start=1)) for i, j in outer}
    length = prod(whole[first:last], start=1)
    parallel_vectors(k, extents, length, vector, cost=element_cost(k.group))


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
