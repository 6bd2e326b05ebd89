"""Concatenation and padding: parts of the result come from different places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

from kerac.backends.llvm.elementwise import collapse, for_each_element
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask, Register
from kerac.backends.llvm.lowering import ALL, GroupKernel, Lowering, lowers
from kerac.backends.llvm.pieces import Piece
from kerac.backends.llvm.pointwise import (
    Part,
    Position,
    epilogue_shapes,
    for_each_vector,
    load_at,
    parallel_vectors,
    piece_shapes,
)
from kerac.ir.dims import DimLike
from kerac.ir.graph import Value
from kerac.ir.ops.movement import Concatenate, Pad
from kerac.ir.types import Shape

Parts = tuple[Part, ...]
Spans = tuple[tuple[int, int], ...]
Element = Callable[[Index, int, Mask], Register]  # index, lanes, mask


@dataclass(frozen=True)
class Box:
    """A block of the result: along each span of its axes `length` places from `start` on."""

    spans: Spans
    starts: tuple[DimLike, ...]
    lengths: tuple[DimLike, ...]

    def fill(
        self,
        k: GroupKernel,
        element: Element,
        parts: Parts = (),
        row: Index = 0,
        pitch: int | None = None,
    ) -> None:
        """Finish element(i, lanes, mask), i counting all elements in order, from `row` on.

        The rows of a piece lie `pitch` elements apart.
        """
        place = len(self.spans) - 1
        (first, last), start, length = self.spans[0], k.dim(self.starts[0]), self.lengths[0]
        row = k.multiply(row, k.dim(length) if place or pitch is None else pitch)

        def vector(i: Index, lanes: int, mask: Mask) -> None:
            value = element(k.add(row, i), lanes, mask)
            k.finish(value, Position((*parts, Part(k.add(start, i), first, last))), mask)

        if not place:
            if parts:
                for_each_vector(k, "v", length, vector)
            else:
                parallel_vectors(
                    k, {}, length, lambda _, *element: vector(*element), cost=2 * ELEMENT
                )
            return
        inner = Box(self.spans[1:], self.starts[1:], self.lengths[1:])

        def step(i: Index) -> None:
            at = (*parts, Part(k.add(start, i), first, last))
            inner.fill(k, element, at, k.add(row, i), pitch)

        cost = k.dim(prod(self.lengths[1:], start=2 * ELEMENT))
        k.parallel({f"i{first}": k.dim(length)}, step, cost=cost)


def spans_from(
    k: GroupKernel, shape: Shape, axes: Sequence[int], operands: Sequence[Value] = ()
) -> Spans:
    """Spans of axes that run as one; a new one begins at each of `axes`, and at rows of pieces."""
    marks = [(1,) * axis + tuple(shape[axis:]) for axis in axes]
    if piece_shapes(k, *operands):
        marks.append((1,) * (len(shape) - 1) + tuple(shape[-1:]))
    return tuple(collapse(shape, [*marks, *epilogue_shapes(k)]))


def size(shape: Shape, first: int, last: int) -> DimLike:
    """Number of elements along the axes first ... last - 1."""
    return prod(shape[first:last], start=1)


def copy_operand(k: GroupKernel, x: Value) -> None:
    """The result is x, which has its shape."""

    def element(position: Position, lanes: int, mask: Mask) -> None:
        k.finish(load_at(k, x, position, x.shape, lanes, mask), position, mask)

    for_each_element(k, x.shape, epilogue_shapes(k), element)


@dataclass(frozen=True)
class _Joined:
    """An operand of a concatenation and where it begins on the axis."""

    x: Value
    start: DimLike


@lowers(Concatenate, reads_pieces=ALL)
def lower_concatenate(lowering: Lowering, group: Group) -> None:
    """y[i, start + j, l] = x[i, j, l] for each operand x that is not there already"""
    anchor = group.head
    axis, whole = group.head_op(Concatenate).axis, anchor.shape
    operands = [x for x in anchor.operands if x.shape[axis] != 0]
    k = lowering.kernel(group)
    if len(operands) <= 1:
        copy_operand(k, (operands or anchor.operands)[0])
        lowering.launch(k)
        return
    joined, start = [], 0
    for x in operands:
        if lowering.pieces.get(x) != Piece(anchor, start):
            joined.append(_Joined(x, start))
        start = start + x.shape[axis]
    if not joined:
        return
    spans = spans_from(k, whole, [axis], [operand.x for operand in joined])
    before = [span for span in spans if span[1] <= axis]

    lengths = [k.dim(size(whole, first, last)) for first, last in before]

    def rows(*at: Index) -> None:
        """The operands share the loops outside the axis: the result is written front to back."""
        row: Index = 0
        for length, index in zip(lengths, at, strict=True):
            row = k.add(k.multiply(row, length), index)
        parts = tuple(Part(index, *span) for index, span in zip(at, before, strict=True))
        _side_by_side(k, joined, axis, spans[len(before) :], parts, row)

    if before:
        extents = {f"i{first}": length for (first, _), length in zip(before, lengths, strict=True)}
        inner = size(whole, before[-1][1], len(whole))
        k.parallel(extents, rows, cost=k.dim(inner * 2 * ELEMENT))
    else:
        rows()
    lowering.launch(k)


def _side_by_side(
    k: GroupKernel,
    joined: Sequence[_Joined],
    axis: int,
    spans: tuple[tuple[int, int], ...],
    parts: Parts,
    row: Index,
) -> None:
    """Row `row` of each operand, one after the other; the first of `spans` begins with the axis."""
    for operand in joined:
        x = operand.x
        pointer = k.read(x)
        inner = size(x.shape, axis + 1, spans[0][1])
        lengths = tuple(size(x.shape, first, last) for first, last in spans)
        box = Box(spans, (operand.start * inner, *(0 for _ in spans[1:])), lengths)
        box.fill(k, partial(k.load, pointer), parts, row, k.pitch(x))


@lowers(Pad)
def lower_pad(lowering: Lowering, group: Group) -> None:
    """y[before + i] = x[i], and the value around"""
    anchor = group.head
    k = lowering.kernel(group)
    padding, x = group.head_op(Pad).padding, anchor.operands[0]
    padded = [axis for axis, pair in enumerate(padding) if any(pair)]
    if padded and x.tensor_type.size != 0:
        _Padding(k, x, spans_from(k, anchor.shape, padded)).rows(0, (), 0)
    elif padded:
        whole = tuple(collapse(anchor.shape, epilogue_shapes(k)))
        fill_value(k, whole, ())
    else:
        copy_operand(k, x)
    lowering.launch(k)


def fill_value(k: GroupKernel, spans: Spans, parts: Parts) -> None:
    """The value of the padding along all of `spans`."""
    anchor, value = k.group.head, k.group.head_op(Pad).value
    lengths = tuple(size(anchor.shape, first, last) for first, last in spans)
    box = Box(spans, (0,) * len(spans), lengths)
    box.fill(k, lambda _, lanes, mask: k.number(value, Kind(anchor.dtype, lanes)), parts)


@dataclass(frozen=True)
class _Padding:
    """One padding under construction; padded axes are the first ones of their spans."""

    k: GroupKernel
    x: Value
    spans: Spans

    def rows(self, place: int, parts: Parts, row: Index) -> None:
        """The span at `place` and those inside it; `row` counts the rows of x that lie outside."""
        k, x = self.k, self.x
        first, last = self.spans[place]
        before, after = self._around(first, last)
        length = size(x.shape, first, last)
        rest = self.spans[place + 1 :]
        if not rest:
            pointer = k.read(x)
            for start, count in ((0, before), (before + length, after)):
                Box(self.spans[-1:], (start,), (count,)).fill(k, self._value, parts)
            middle = Box(self.spans[-1:], (before,), (length,))
            middle.fill(k, partial(k.load, pointer), parts, row)
            return
        inside, lead = k.dim(length), k.dim(before)

        def margin(i: Index) -> None:
            behind = k.add(i, inside)
            if before != 0:
                behind = k.select(k.compare("less", i, lead), i, behind)
            fill_value(k, rest, (*parts, Part(behind, first, last)))

        def line(i: Index) -> None:
            inner = k.add(k.multiply(row, inside), i)
            self.rows(place + 1, (*parts, Part(k.add(lead, i), first, last)), inner)

        cost = k.dim(prod((size(x.shape, *span) for span in rest), start=2 * ELEMENT))
        k.parallel({"m": k.dim(before + after)}, margin, cost=cost)
        k.parallel({f"i{first}": inside}, line, cost=cost)

    def _value(self, _: Index, lanes: int, __: Mask) -> Register:
        return self.k.number(self.k.group.head_op(Pad).value, Kind(self.x.dtype, lanes))

    def _around(self, first: int, last: int) -> tuple[DimLike, DimLike]:
        """Elements before and after the operand's along a span."""
        padding = self.k.group.head_op(Pad).padding
        for axis in range(first, last):
            if any(padding[axis]):
                inner = size(self.x.shape, axis + 1, last)
                return padding[axis][0] * inner, padding[axis][1] * inner
        return 0, 0
