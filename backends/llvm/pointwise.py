"""Elements at a position: where an operand's lies, and what a group's members make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask, Register
from kerac.backends.llvm.plan import Buffer
from kerac.ir.dims import DimLike, known_dim
from kerac.ir.errors import InternalError
from kerac.ir.graph import Value
from kerac.ir.op import Op
from kerac.ir.ops.constant import Constant, Parameter
from kerac.ir.ops.elementwise import Cast, Comparison, Elementwise, Logical, LogicalNot
from kerac.ir.types import NARROW, Shape

if TYPE_CHECKING:
    from kerac.backends.llvm.lowering import GroupKernel

CHUNK = 4096  # elements of a row that are one task


@dataclass(frozen=True)
class Part:
    """One index that runs over the axes first ... last - 1 of a shape together, row-major.

    `phase` is what the index leaves over when it is divided by the length of a short last axis, for
    vectors that run over several rows of it.
    """

    index: Index
    first: int
    last: int
    phase: int | None = None


@dataclass(frozen=True)
class Position:
    """A place in a shape: parts cover all its axes in order. Vectors run along the last part."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, *indices: Index) -> Position:
        """One index for each axis."""
        return cls(tuple(Part(index, axis, axis + 1) for axis, index in enumerate(indices)))


def strides(shape: Shape, pitch: DimLike | None = None) -> tuple[DimLike, ...]:
    """Distance in elements between neighbours along each axis of a row-major array.

    It is dense, or its rows lie `pitch` elements apart.
    """
    rows = shape if pitch is None else (*shape[:-1], pitch)
    return tuple(prod(rows[axis + 1 :], start=1) for axis in range(len(shape)))


def spread(shape: Shape, ndim: int) -> Shape:
    """`shape` with leading axes of length 1 up to `ndim` axes."""
    return (1,) * (ndim - len(shape)) + tuple(shape)


def offset(
    k: GroupKernel, position: Position, shape: Shape, whole: Shape, pitch: int | None = None
) -> Index:
    """Offset of the element that an operand of `shape`, broadcast to `whole`, has at `position`.

    The operand is dense, or its rows lie `pitch` elements apart.
    """
    own = spread(shape, len(whole))
    steps = strides(own, pitch)
    total: Index = 0
    for part in position.parts:
        axes = range(part.first, part.last)
        if all(own[axis] == 1 for axis in axes):
            continue
        runs_on = pitch is None or part.last < len(whole) or len(axes) == 1
        if runs_on and all(own[axis] == whole[axis] for axis in axes):
            total = total + part.index * k.dim(steps[part.last - 1])
            continue
        for axis in axes:
            if own[axis] != 1:
                inner = k.dim(prod(whole[axis + 1 : part.last], start=1))
                index = k.quotient(part.index, inner)
                if axis != part.first:
                    index = k.remainder(index, k.dim(whole[axis]))
                total = total + index * k.dim(steps[axis])
    return total


def load_at(
    k: GroupKernel,
    source: Value | Buffer,
    position: Position,
    whole: Shape,
    lanes: int,
    mask: Mask,
    shape: Shape | None = None,
) -> Register:
    """The element of `source` at `position`, or a vector of `lanes` along the last part.

    The source is read as an array of `shape`, where that is given.
    """
    type_ = source.type if isinstance(source, Buffer) else source.tensor_type
    number = None if isinstance(source, Buffer) else scalar_number(source)
    if number is not None:
        return k.number(number, Kind(type_.dtype))
    shape = type_.shape if shape is None else shape
    own = spread(shape, len(whole))
    along = [axis for part in position.parts[-1:] for axis in range(part.first, part.last)]
    single = lanes == 1 or all(own[axis] == 1 for axis in along)
    mixed = not single and any(own[axis] != whole[axis] for axis in along)
    if mixed and position.parts[-1].phase is not None:
        return _repeated_row(k, source, position, shape, whole, lanes)
    place = offset(k, position, shape, whole, k.pitch(source))
    if single:
        return k.load(k.read(source), place)
    if mixed:
        raise InternalError(f"{source.name} {type_} is not contiguous along the vectors of {whole}")
    return k.load(k.read(source), place, lanes, mask)


def _repeated_row(
    k: GroupKernel,
    source: Value | Buffer,
    position: Position,
    shape: Shape,
    whole: Shape,
    lanes: int,
) -> Register:
    """A vector over several rows of a short last axis, which are all the same in the source."""
    *before, part = position.parts
    length, phase = known_dim(whole[part.last - 1]), part.phase or 0
    start = offset(k, Position(tuple(before)), shape, whole, k.pitch(source))
    row = k.load(k.read(source), start, lanes, k.tail_mask(length, lanes))
    return k.shuffle(row, None, [(phase + lane) % length for lane in range(lanes)])


def scalar_number(value: Value) -> float | int | bool | None:
    """The number that a constant of one element holds."""
    if (
        isinstance(value.op, Constant | Parameter)
        and value.op.data.is_known
        and value.op.data.array.size == 1
    ):
        number: float | int | bool = value.op.data.array.reshape(()).astype(object).item()
        return number
    return None


def evaluate_members(
    k: GroupKernel, group: Group, given: Register | None, position: Position, lanes: int, mask: Mask
) -> Register:
    """The root's element(s) at `position`, where the anchor's are `given`."""
    whole = group.root.shape
    known: dict[Value, Register] = {}
    if group.anchor is not None and given is not None:
        known[group.anchor] = given
    for member in group.members:
        if member in known:
            continue
        operands = []
        for operand in member.operands:
            if operand not in known:
                known[operand] = load_at(k, operand, position, whole, lanes, mask)
            operands.append(known[operand])
        known[member] = apply_elementwise(k, member.op, operands)
    result = known[group.root]
    return result if result.kind.lanes == lanes else k.broadcast(result, lanes)


def epilogue_shapes(k: GroupKernel) -> list[Shape]:
    """Shapes of what the elementwise members after the anchor read from memory.

    Where they, or the root, are pieces, loops over several axes must end before the last axis, as
    if something had that axis alone.
    """
    group = k.group
    members = set(group.members)
    operands = [
        operand
        for member in group.members
        if member is not group.anchor
        for operand in member.operands
        if operand not in members
    ]
    return [*(operand.shape for operand in operands), *piece_shapes(k, group.root, *operands)]


def piece_shapes(k: GroupKernel, *values: Value) -> list[Shape]:
    """What ends the loops over several axes of those values that are pieces: a row."""
    return [
        (1,) * (value.ndim - 1) + value.shape[-1:]
        for value in values
        if k.pitch(value) is not None
    ]


def apply_elementwise(k: GroupKernel, op: Op, operands: list[Register]) -> Register:
    """One elementwise op on registers."""
    result: Register
    match op:
        case Cast(dtype):
            result = k.convert(operands[0], dtype)
        case Comparison():
            result = k.compare(op.predicate, *operands)
        case LogicalNot():
            result = k.compute("xor", operands[0], True)
        case Logical():
            result = k.compute(op.predicate.removeprefix("logical_"), *operands)
        case Elementwise():
            dtype = operands[-1].kind.dtype
            # narrow floats are rounded once, however many steps the formula has
            if dtype in NARROW:
                wide = [k.convert(x, "f32") if x.kind.dtype == dtype else x for x in operands]
                result = k.convert(op.formula(k.mathematics, *wide), dtype)
            else:
                result = op.formula(k.mathematics, *operands)
        case _:
            raise InternalError(f"{op.text_name} is not elementwise")
    return result


def for_each_vector(
    k: GroupKernel, name: str, length: DimLike, body: Callable[[Index, int, Mask], None]
) -> None:
    """body(index, lanes, mask) for vectors that cover 0 ... length - 1.

    The last one is masked where it is not full.
    """
    lanes = k.lanes
    if length == 1:
        body(0, 1, None)
        return
    total = k.dim(length)
    full = k.quotient(total, lanes) * lanes
    k.loop(name, 0, full, lambda index: body(index, lanes, None), step=lanes)
    remaining = k.subtract(total, full)
    k.when(
        k.compare("greater", remaining, 0), lambda: body(full, lanes, k.tail_mask(remaining, lanes))
    )


def parallel_vectors(
    k: GroupKernel,
    outer: Mapping[str, Index],
    length: DimLike,
    body: Callable[[Sequence[Index], Index, int, Mask], None],
    *,
    cost: int,
) -> None:
    """`for_each_vector` at all `outer` indices, in parallel: body(indices, index, lanes, mask).

    Long rows are cut into chunks. `cost` is that of an element.
    """
    lanes, total = k.lanes, k.dim(length)
    if isinstance(total, int) and total <= CHUNK:
        k.parallel(
            outer,
            lambda *at: for_each_vector(k, "v", total, partial(body, at)),
            cost=total * cost,
        )
        return
    full = k.quotient(total, lanes) * lanes

    def chunk(*indices: Index) -> None:
        *at, number = indices
        start = k.multiply(number, CHUNK)
        stop = k.minimum(k.add(start, CHUNK), total)
        vectors = k.minimum(stop, full)
        k.loop("v", start, vectors, lambda i: body(at, i, lanes, None), step=lanes)
        k.when(
            k.compare("less", full, stop),
            lambda: body(at, full, lanes, k.tail_mask(k.subtract(total, full), lanes)),
        )

    chunks = k.quotient(k.add(total, CHUNK - 1), CHUNK)
    size = CHUNK if isinstance(total, int) else k.minimum(total, CHUNK)
    k.parallel({**outer, "chunk": chunks}, chunk, cost=k.multiply(size, cost))


def element_cost(group: Group) -> int:
    """What an element of a group without an anchor costs, in multiply-adds."""
    return ELEMENT * (1 + len(group.members))
