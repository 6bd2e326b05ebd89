"""Groups without an anchor: elementwise work over a whole array in as few loops as can be."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, LoopKind, Mask
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import (
    Part,
    Position,
    evaluate_members,
    for_each_vector,
    offset,
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

    def nest(place: int, parts: tuple[Part, ...]) -> None:
        first, last = spans[place]
        length = prod(whole[first:last], start=1)
        kind: LoopKind = "serial" if place else "parallel"
        if place == len(spans) - 1:

            def vector(index: Index, lanes: int, mask: Mask) -> None:
                body(Position((*parts, Part(index, first, last))), lanes, mask)

            for_each_vector(k, f"i{place}", length, vector, kind)
        else:
            k.loop(
                f"i{place}",
                0,
                k.dim(length),
                lambda i: nest(place + 1, (*parts, Part(i, first, last))),
                kind=kind,
            )

    nest(0, ())


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
    for_each_vector(
        k,
        "i",
        value.tensor_type.size,
        lambda i, lanes, mask: k.store(y, i, k.load(x, i, lanes, mask), mask),
        "parallel",
    )
    lowering.launch(k)
