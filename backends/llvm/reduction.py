"""Reductions: sums, means, products and extremes along any axes, each line read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lines import Indices, Line, Nest, Run, blocked_loop, for_each_line, offset_of
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.pointwise import epilogue_shapes, spread
from kerac.ir.ops.reduction import (
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProduct,
    Reduction,
    ReduceSum,
)
from kerac.ir.types import Shape, numpy_dtype

MOST_COLUMNS = 8  # vectors of neighbouring lines that are reduced together
FEW_COLUMNS = 4  # where the number of lines is not known
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


def computing_dtype(dtype: str) -> str:
    """The dtype to compute with: f32 for narrower floating-point numbers."""
    return "f32" if dtype in ("f16", "bf16") else dtype


@lowers(ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProduct)
def lower_reduction(lowering: Lowering, group: Group) -> None:
    """y[kept] = combination of x[kept, reduced] over all that is reduced"""
    anchor = group.anchor
    assert anchor is not None
    op, x = anchor.op, anchor.operands[0]
    assert isinstance(op, Reduction)
    k = lowering.kernel(group)
    nest = Nest.of(x.shape, op.axes, [widened(shape, op, x.shape) for shape in epilogue_shapes(group)])
    reducer = _Reducer(k, op, nest, k.read(x), Combination.of(op, x.dtype), x.ndim)
    reducer.emit()
    lowering.launch(k)


def widened(shape: Shape, op: Reduction, whole: Shape) -> Shape:
    """`shape`, which broadcasts to the result, with the axes of the operand: length 1 where they are reduced."""
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

    @property
    def dtype(self) -> str:
        return computing_dtype(self.x.dtype)

    def emit(self) -> None:
        if self.nest.along:
            for_each_line(self.k, self.nest, self.x, self.dtype, self._along)
        else:
            self.nest.for_each_kept(self.k, self._beside)

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
        if isinstance(self.op, ReduceMean):
            count = k.dim(self.nest.count)
            result = result / (k.convert(count, self.dtype) if isinstance(count, Register) else float(count))
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

    def _beside(self, indices: Indices) -> None:
        """Blocks of neighbouring lines, each lane for itself."""
        k, last = self.k, self.nest.runs[-1]
        if last.length == 1:
            self._block(indices, 0, 1, 1, [None], 4)
            return
        lanes, length = k.lanes, k.dim(last.length)
        columns = FEW_COLUMNS
        if isinstance(length, int):
            columns = min(MOST_COLUMNS, -(-length // lanes))
        # the same for all blocks, so that a line's sum does not depend on where its block lies
        ways = max(1, MOST_COLUMNS // columns)
        width = lanes * columns
        high = length // width * width
        k.loop(
            "c",
            0,
            high,
            lambda c: self._block(indices, c, lanes, columns, [None] * columns, ways),
            step=width,
        )
        if isinstance(length, int) and isinstance(high, int):
            masks = [k.tail_mask(length - c, lanes) for c in range(high, length, lanes)]
            if masks:
                self._block(indices, high, lanes, len(masks), masks, ways)
            return
        k.loop(
            "c",
            high,
            length,
            lambda c: self._block(indices, c, lanes, 1, [k.tail_mask(k.subtract(length, c), lanes)], ways),
            step=lanes,
        )

    def _block(
        self, indices: Indices, c: Index, lanes: int, columns: int, masks: Sequence[Mask], ways: int
    ) -> None:
        """Reduce `columns` vectors of lines from line c on; `ways` elements of a line are in flight."""
        k, combine, inside = self.k, self.combination, self.nest.inside
        start: list[Any] = [combine.neutral] * (columns * ways)
        kinds = [Kind(self.dtype, lanes)] * (columns * ways)

        def load(place: Index, column: int) -> Register:
            x = k.load(self.x, k.add(place, column * lanes), lanes, masks[column])
            return k.convert(x, self.dtype)

        def rows(place: Index, distance: Index, sums: Sequence[Any]) -> list[Any]:
            found = []
            for number, total in enumerate(sums):
                row, column = divmod(number, columns)
                found.append(combine(k, load(k.add(place, k.multiply(distance, row)), column), total))
            return found

        def nest(depth: int, place: Index, sums: Sequence[Any]) -> Sequence[Any]:
            if not inside:
                return [*rows(place, 0, sums[:columns]), *sums[columns:]]
            run = inside[depth]
            length, distance = k.dim(run.length), k.dim(run.stride)
            if depth < len(inside) - 1:
                return k.loop(
                    f"r{depth}",
                    0,
                    length,
                    lambda r, *inner: nest(depth + 1, place + r * distance, inner),
                    carried=sums,
                    kinds=kinds,
                )
            high = length // ways * ways
            sums = blocked_loop(
                k,
                high,
                ways,
                lambda r, inner: rows(place + r * distance, distance, inner),
                sums,
                kinds,
                combine.neutral,
                lambda a, b: combine(k, a, b),
            )
            first = k.loop(
                "rest",
                high,
                length,
                lambda r, *inner: rows(place + r * distance, distance, inner),
                carried=sums[:columns],
                kinds=kinds[:columns],
            )
            return [*first, *sums[columns:]]

        base = k.add(offset_of(k, indices), c)
        sums = list(nest(0, base, start))
        while len(sums) > columns:
            half = len(sums) // columns // 2 * columns
            rest = sums[2 * half :]
            sums = [combine(k, a, b) for a, b in zip(sums[:half], sums[half : 2 * half], strict=True)] + rest
        last = self.nest.runs[-1]
        for column, (result, mask) in enumerate(zip(sums, masks, strict=True)):
            if not isinstance(result, Register):
                result = k.number(result, kinds[0])
            self._finish(result, {**indices, last: k.add(c, column * lanes)}, mask)
