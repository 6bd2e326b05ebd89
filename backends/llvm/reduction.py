"""Reductions: sums, means, products and extremes along any axes, each line read once.

Where there are few lines, but long ones side by side, such as for the gradient of a bias, they are
cut into a fixed number of parts, which threads share; the parts are combined in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.backends.llvm.accumulation import blocked_loop, joined
from kerac.backends.llvm.elementwise import for_each_element
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lines import Indices, Line, Nest, Run, for_each_line, offset_of
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import Position, epilogue_shapes, offset, spread
from kerac.ir.dims import known_dim, substitute, symbols_of
from kerac.ir.ops.reduction import (
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProduct,
    ReduceSum,
    Reduction,
)
from kerac.ir.types import Shape, TensorType, computing_dtype, numpy_dtype

MOST_COLUMNS = 8  # vectors of neighbouring lines that are reduced together
FEW_COLUMNS = 4  # where the number of lines is not known
PARTS = 8
LONG = 1024  # elements of lines that are worth parts
TYPICAL = 32  # stands for lengths that are not known
OPERATIONS: dict[type[Reduction], str] = {
    ReduceSum: "add",
    ReduceMean: "add",
    ReduceMax: "maximum",
    ReduceMin: "minimum",
    ReduceProduct: "multiply",
}
# truth values know two operations only
LOGICAL = {"add": "or", "maximum": "or", "minimum": "and", "multiply": "and"}


@dataclass(frozen=True)
class Combination:
    """How two elements become one, and the number that changes nothing."""

    operation: str
    neutral: float

    @classmethod
    def of(cls, op: Reduction, dtype: str) -> Combination:
        """What `op` does on elements of `dtype`."""
        operation = OPERATIONS[type(op)]
        if dtype == "bool":
            operation = LOGICAL[operation]
            return cls(operation, operation == "and")
        return cls(operation, _neutral(operation, dtype))

    def __call__(self, k: GroupKernel, x: Any, y: Any) -> Any:
        """x and y combined."""
        if not isinstance(x, Register):
            x, y = y, x
        if not isinstance(x, Register) or (not isinstance(y, Register) and y == self.neutral):
            return x
        return k.compute(self.operation, x, y)


def _neutral(operation: str, dtype: str) -> float:
    if operation in ("add", "multiply"):
        return 0 if operation == "add" else 1
    if dtype in ("f16", "bf16", "f32", "f64"):
        return float("-inf") if operation == "maximum" else float("inf")
    limits = np.iinfo(numpy_dtype(dtype))
    return int(limits.min if operation == "maximum" else limits.max)


@lowers(ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProduct, reads_pieces=(0,))
def lower_reduction(lowering: Lowering, group: Group) -> None:
    """y[kept] = combination of x[kept, reduced] over all that is reduced"""
    anchor = group.head
    op, x = group.head_op(Reduction), anchor.operands[0]
    k = lowering.kernel(group)
    plain = Nest.of(x.shape, op.axes, (), k.pitch(x))
    if has_parts(plain) and x.dtype != "bool":
        lower_in_parts(lowering, group, plain)
        return
    nest = Nest.of(
        x.shape,
        op.axes,
        [widened(shape, op, x.shape) for shape in epilogue_shapes(k)],
        k.pitch(x),
    )
    reducer = _Reducer(k, op, nest, k.read(x), Combination.of(op, x.dtype), x.ndim)
    reducer.emit()
    lowering.launch(k)


def has_parts(nest: Nest) -> bool:
    """Whether lines side by side are long, and there are no others that threads could share."""
    if nest.along or nest.outside or len(nest.inside) != 1:
        return False
    length = nest.inside[0].length
    return known_dim(substitute(length, dict.fromkeys(symbols_of(length), TYPICAL))) >= LONG


def lower_in_parts(lowering: Lowering, group: Group, nest: Nest) -> None:
    """y[c] = combination of x[r, c] over the r of each part, then over the parts"""
    anchor = group.head
    op, x = group.head_op(Reduction), anchor.operands[0]
    inside, last = nest.inside[0], nest.runs[-1]
    dtype, combine = computing_dtype(x.dtype), Combination.of(op, x.dtype)
    parts = lowering.scratch(TensorType(dtype, (PARTS, last.length)), "parts")
    k = lowering.kernel(group)
    source, target = k.read(x), k.write(parts)
    total, width = k.dim(inside.length), k.dim(last.length)
    size = k.quotient(k.add(total, PARTS - 1), PARTS)

    def part(number: Index) -> None:
        first = k.minimum(k.multiply(number, size), total)
        rows = k.minimum(size, k.subtract(total, first))

        def write(result: Register, indices: Indices, mask: Mask) -> None:
            k.store(target, k.add(k.multiply(number, width), indices[last]), result, mask)

        start = k.multiply(first, k.dim(inside.stride))
        _Reducer(k, op, nest, source, combine, x.ndim, start, rows, write).beside({})

    cost = k.multiply(k.multiply(size, width), 2 * ELEMENT)
    k.parallel({"part": PARTS}, part, cost=cost)
    lowering.launch(k)
    _join_parts(lowering, group, parts, nest)


def _join_parts(lowering: Lowering, group: Group, parts: Buffer, nest: Nest) -> None:
    """The results of all parts combined in order, and the elementwise work on that."""
    anchor = group.head
    op, dtype = group.head_op(Reduction), parts.type.dtype
    combine = Combination.of(op, anchor.dtype)
    k = lowering.kernel(group, "joined")
    source, width = k.read(parts), k.dim(nest.runs[-1].length)

    def element(position: Position, lanes: int, mask: Mask) -> None:
        place = offset(k, position, anchor.shape, anchor.shape)

        def add(part: Index, found: Any) -> Any:
            at = k.add(k.multiply(part, width), place)
            return combine(k, k.load(source, at, lanes, mask), found)

        start = k.load(source, place, lanes, mask)
        (result,) = k.loop("part", 1, PARTS, add, carried=[start])
        result = _mean(k, op, nest, result, dtype)
        k.finish(k.convert(result, anchor.dtype), position, mask)

    for_each_element(k, anchor.shape, epilogue_shapes(k), element)
    lowering.launch(k)


def _mean(k: GroupKernel, op: Reduction, nest: Nest, result: Register, dtype: str) -> Register:
    """The sum over the number of elements, where the mean is wanted."""
    if not isinstance(op, ReduceMean):
        return result
    count = k.dim(nest.count)
    mean: Register = result / (
        k.convert(count, dtype) if isinstance(count, Register) else float(count)
    )
    return mean


def widened(shape: Shape, op: Reduction, whole: Shape) -> Shape:
    """`shape`, which broadcasts to the result, with length 1 where the operand is reduced."""
    if op.keepdims:
        return spread(shape, len(whole))
    own = iter(spread(shape, len(whole) - len(op.axes)))
    return tuple(1 if axis in op.axes else next(own) for axis in range(len(whole)))


@dataclass(frozen=True)
class _Reducer:
    """One reduction under construction."""

    k: GroupKernel
    op: Reduction
    nest: Nest
    x: Pointer
    combination: Combination
    ndim: int
    start: Index = 0  # where the lines begin
    rows: Index | None = None  # elements of lines side by side, where those are not whole
    write: Callable[[Register, Indices, Mask], None] | None = None  # instead of what follows

    @property
    def dtype(self) -> str:
        return computing_dtype(self.x.dtype)

    def emit(self) -> None:
        if self.nest.along:
            for_each_line(self.k, self.nest, self.x, self.dtype, self._along)
        else:
            self.nest.for_each_kept(self.k, self.beside)

    def _along(self, line: Line) -> None:
        """A line that vectors run along."""
        k, combine, lanes = self.k, self.combination, line.lanes

        def step(total: Any, x: Register, mask: Mask) -> Any:
            return combine(k, k.keep(mask, x, combine.neutral), total)

        result = line.fold(step, combine.neutral, lambda a, b: combine(k, a, b))
        if not isinstance(result, Register):
            result = k.number(result, Kind(self.dtype, lanes))
        self._finish(k.reduce(combine.operation, result), line.indices, None)

    def _finish(self, result: Register, indices: Indices, mask: Mask) -> None:
        """The mean, where it is wanted, and on to the elementwise work."""
        k = self.k
        if self.write is not None:
            self.write(result, indices, mask)
            return
        result = _mean(k, self.op, self.nest, result, self.dtype)
        kept = Nest(tuple(self._kept(run) for run in indices))
        position = kept.position(dict(zip(kept.runs, indices.values(), strict=True)))
        k.finish(k.convert(result, self.x.dtype), position, mask)

    def _kept(self, run: Run) -> Run:
        """The run in the axes of the result."""
        if self.op.keepdims:
            return run
        axes = [axis for axis in range(self.ndim) if axis not in self.op.axes]
        first = sum(axis < run.first for axis in axes)
        last = sum(axis < run.last for axis in axes)
        return Run(first, last, run.length, run.stride, run.reduced)

    @property
    def _lanes(self) -> int:
        return 1 if self.nest.runs[-1].length == 1 else self.k.lanes

    def beside(self, indices: Indices) -> None:
        """Blocks of neighbouring lines, each lane for itself."""
        k, lanes, length = self.k, self._lanes, self.k.dim(self.nest.runs[-1].length)
        columns = FEW_COLUMNS
        if isinstance(length, int):
            columns = min(MOST_COLUMNS, -(-length // lanes))
        # the same for all blocks, so that a line's sum does not depend on where its block lies
        ways = max(1, MOST_COLUMNS // columns)
        width = lanes * columns
        high = length // width * width
        k.loop("c", 0, high, lambda c: self._block(indices, c, [None] * columns, ways), step=width)
        if isinstance(length, int) and isinstance(high, int):
            masks = [k.tail_mask(length - c, lanes) for c in range(high, length, lanes)]
            if masks:
                self._block(indices, high, masks, ways)
            return

        def rest(c: Index) -> None:
            self._block(indices, c, [k.tail_mask(k.subtract(length, c), lanes)], ways)

        k.loop("c", high, length, rest, step=lanes)

    def _block(self, indices: Indices, c: Index, masks: Sequence[Mask], ways: int) -> None:
        """Reduce vectors of lines from c on, one for each mask."""
        last, lanes = self.nest.runs[-1], self._lanes
        block = _Block(
            self.k, self.nest, self.x, self.combination, self.dtype, lanes, masks, ways, self.rows
        )
        results = block.reduce(self.start + self.k.add(offset_of(self.k, indices), c))
        for column, (result, mask) in enumerate(zip(results, masks, strict=True)):
            self._finish(result, {**indices, last: self.k.add(c, column * lanes)}, mask)


@dataclass(frozen=True)
class _Block:
    """Neighbouring lines that are reduced together; `ways` elements of each are in flight."""

    k: GroupKernel
    nest: Nest
    x: Pointer
    combination: Combination
    dtype: str
    lanes: int
    masks: Sequence[Mask]
    ways: int
    rows: Index | None = None  # elements of a line, where that is not whole

    def reduce(self, base: Index) -> list[Register]:
        """One result for each vector of lines, the first of which begin at `base`."""
        k, columns = self.k, len(self.masks)
        kinds = [Kind(self.dtype, self.lanes)] * (columns * self.ways)
        sums = list(self._walk(0, base, [self.combination.neutral] * len(kinds), kinds))
        parts = [sums[i : i + columns] for i in range(0, len(sums), columns)]
        results = joined(parts, self._together)
        return [x if isinstance(x, Register) else k.number(x, kinds[0]) for x in results]

    def _together(self, x: Sequence[Any], y: Sequence[Any]) -> list[Any]:
        return [self.combination(self.k, a, b) for a, b in zip(x, y, strict=True)]

    def _rows(self, place: Index, distance: Index, sums: Sequence[Any]) -> list[Any]:
        """Combine as many elements of each line as there are accumulators for."""
        k, columns = self.k, len(self.masks)
        found = []
        for number, total in enumerate(sums):
            row, column = divmod(number, columns)
            at = k.add(k.add(place, k.multiply(distance, row)), column * self.lanes)
            x = k.convert(k.load(self.x, at, self.lanes, self.masks[column]), self.dtype)
            found.append(self.combination(k, x, total))
        return found

    def _walk(
        self, depth: int, place: Index, sums: Sequence[Any], kinds: Sequence[Kind]
    ) -> Sequence[Any]:
        """All elements of the lines along the reduced runs from `depth` on."""
        k, inside, columns = self.k, self.nest.inside, len(self.masks)
        if not inside:
            return [*self._rows(place, 0, sums[:columns]), *sums[columns:]]
        distance = k.dim(inside[depth].stride)
        length = k.dim(inside[depth].length) if self.rows is None else self.rows

        def outer(r: Index, *inner: Any) -> Sequence[Any]:
            return self._walk(depth + 1, place + r * distance, inner, kinds)

        def innermost(r: Index, *inner: Any) -> Sequence[Any]:
            return self._rows(place + r * distance, distance, inner)

        if depth < len(inside) - 1:
            return k.loop(f"r{depth}", 0, length, outer, carried=sums, kinds=kinds)
        high = length // self.ways * self.ways
        sums = blocked_loop(
            k,
            high,
            self.ways,
            lambda r, inner: innermost(r, *inner),
            sums,
            kinds,
            self.combination.neutral,
            lambda a, b: self.combination(k, a, b),
        )
        first = k.loop(
            "rest", high, length, innermost, carried=sums[:columns], kinds=kinds[:columns]
        )
        return [*first, *sums[columns:]]
