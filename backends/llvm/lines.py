"""Walking an array some of whose axes are reduced: kept axes outside, reduced lines inside.

Where the last axis is reduced, vectors run along the line and one scalar comes out of it. Where it
is kept, vectors take neighbouring lines side by side and every lane holds its own result. Sums of
one line are always taken in the same order, whatever other lines there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from kerac.backends.llvm.accumulation import Combine, blocked_loop, joined
from kerac.backends.llvm.elementwise import collapse
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.pointwise import Part, Position, for_each_vector, strides
from kerac.ir.dims import DimLike, known_dim
from kerac.ir.types import Shape

WAYS = 4  # independent accumulators that hide the latency of an addition

Step = Callable[[Any, Register, Mask], Any]
PlacedStep = Callable[[Any, Register, Mask, Index], Any]


@dataclass(frozen=True)
class Run:
    """Neighbouring axes first ... last - 1 that one loop walks."""

    first: int
    last: int
    length: DimLike
    stride: DimLike
    reduced: bool


Indices = dict[Run, Index]


@dataclass(frozen=True)
class Nest:
    """The runs of an array in order of its axes."""

    runs: tuple[Run, ...]

    @classmethod
    def of(
        cls,
        shape: Shape,
        axes: Sequence[int],
        shapes: Sequence[Shape] = (),
        pitch: int | None = None,
    ) -> Nest:
        """The runs of `shape` reduced along `axes`; operands of `shapes` are read beside it.

        The rows of a piece lie `pitch` elements apart.
        """
        kept = tuple(1 if axis in axes else dim for axis, dim in enumerate(shape))
        distances = strides(shape, pitch)
        own = [shape if pitch is None else (1,) * (len(shape) - 1) + tuple(shape[-1:])]
        runs = []
        for first, last in collapse(shape, [kept, *own, *shapes]):
            length = prod(shape[first:last], start=1)
            reduced = any(axis in axes and shape[axis] != 1 for axis in range(first, last))
            runs.append(Run(first, last, length, distances[last - 1], reduced))
        return cls(tuple(runs) or (Run(0, 0, 1, 1, False),))

    @property
    def along(self) -> bool:
        """Whether vectors run along the lines that are reduced."""
        return self.runs[-1].reduced

    @property
    def outside(self) -> tuple[Run, ...]:
        """The kept runs that no vector runs along."""
        return tuple(run for run in self.runs[:-1] if not run.reduced)

    @property
    def inside(self) -> tuple[Run, ...]:
        """The reduced runs that no vector runs along."""
        return tuple(run for run in self.runs[:-1] if run.reduced)

    @property
    def count(self) -> DimLike:
        """Elements of a line."""
        return prod((run.length for run in self.runs if run.reduced), start=1)

    def position(self, indices: Indices) -> Position:
        """The place where the runs have `indices`."""
        return Position(
            tuple(Part(indices[run], run.first, run.last) for run in self.runs if run in indices)
        )

    def for_each_kept(self, k: GroupKernel, body: Callable[[Indices], None]) -> None:
        """body(indices) for all places of the runs outside."""
        runs = self.outside
        inner: Index = 1
        for run in self.runs:
            if run not in runs:
                inner = k.multiply(inner, k.dim(run.length))
        k.parallel(
            {f"i{place}": k.dim(run.length) for place, run in enumerate(runs)},
            lambda *indices: body(dict(zip(runs, indices, strict=True))),
            cost=k.multiply(inner, 2 * ELEMENT),
        )


@dataclass(frozen=True)
class Line:
    """One line, or `lanes` lines side by side, of an array that `pointer` holds.

    Numbers of narrow dtypes are computed with in `dtype`.
    """

    k: GroupKernel
    nest: Nest
    pointer: Pointer
    dtype: str
    indices: Indices
    lanes: int
    mask: Mask = None  # of the lanes side by side
    registers: tuple[Register, ...] | None = None  # all vectors of the line, where they are few

    @property
    def kind(self) -> Kind:
        """What an accumulator is."""
        return Kind(self.dtype, self.lanes)

    def fold(self, step: Step, start: float, combine: Combine) -> Any:
        """step(accumulator, x, mask) over the line from `start`; `combine` joins partial ones."""
        if self.registers is not None:
            ways: list[Any] = [start] * min(WAYS, len(self.registers))
            for place, (x, mask) in enumerate(zip(self.registers, self._masks(), strict=True)):
                ways[place % len(ways)] = step(ways[place % len(ways)], x, mask)
            return joined(ways, combine)

        return self._fold(lambda total, x, mask, _: step(total, x, mask), start, combine)

    def _fold(self, step: PlacedStep, start: float, combine: Combine) -> Any:
        """`fold` in memory; the step is also told where x lies."""

        def body(indices: Indices, sums: Sequence[Any], masks: Sequence[Mask]) -> Sequence[Any]:
            found = []
            for way, (total, mask) in enumerate(zip(sums, masks, strict=True)):
                place = self._place(indices, way)
                found.append(step(total, self._load(place, mask), mask, place))
            return found

        loops = [*self.nest.inside, *self.nest.runs[-1:]] if self.nest.along else self.nest.inside

        def deeper(place: int, indices: Indices, sums: Sequence[Any]) -> Sequence[Any]:
            if not loops:
                return [*body(indices, sums[:1], [self.mask]), *sums[1:]]
            if place == len(loops) - 1:
                return self._innermost(loops[-1], indices, body, sums, start, combine)
            return self.k.loop(
                f"r{place}",
                0,
                self.k.dim(loops[place].length),
                lambda i, *inner: deeper(place + 1, {**indices, loops[place]: i}, inner),
                carried=sums,
                kinds=[self.kind] * WAYS,
            )

        return joined(deeper(0, self.indices, [start] * WAYS), combine)

    def _innermost(
        self,
        run: Run,
        indices: Indices,
        body: Callable[[Indices, Sequence[Any], Sequence[Mask]], Sequence[Any]],
        sums: Sequence[Any],
        start: float,
        combine: Combine,
    ) -> Sequence[Any]:
        """The loop over the last run, or, beside the lines, over the last reduced one."""
        k, along = self.k, self.nest.along
        lanes, ways = self.lanes if along else 1, len(sums)
        total = k.dim(run.length)
        high = total // (lanes * ways) * (lanes * ways)
        kinds = [self.kind] * ways
        masks = [None if along else self.mask] * ways
        sums = blocked_loop(
            k,
            high,
            lanes * ways,
            lambda i, inner: body({**indices, run: i}, inner, masks),
            sums,
            kinds,
            start,
            combine,
        )

        def rest(i: Index, first: Any) -> Sequence[Any]:
            mask = k.tail_mask(k.subtract(total, i), lanes) if along else self.mask
            return body({**indices, run: i}, [first], [mask])

        if isinstance(total, int) and isinstance(high, int):
            found = list(sums)
            for place, i in enumerate(range(high, total, lanes)):
                found[place] = rest(i, found[place])[0]
            return found
        first = k.loop("rest", high, total, rest, step=lanes, carried=sums[:1], kinds=kinds[:1])
        return [*first, *sums[1:]]

    def _load(self, place: Index, mask: Mask) -> Register:
        return self.k.convert(self.k.load(self.pointer, place, self.lanes, mask), self.dtype)

    def _place(self, indices: Indices, way: int = 0) -> Index:
        """Offset of the vector at `indices`, or `way` steps farther along the innermost run."""
        place = offset_of(self.k, indices)
        if not way:
            return place
        step: Index = self.lanes if self.nest.along else self.k.dim(self.nest.inside[-1].stride)
        farther: Index = self.k.add(place, self.k.multiply(step, way))
        return farther

    def _masks(self) -> list[Mask]:
        """Masks of the vectors of a line in registers."""
        return [mask for _, mask in _unrolled(self)]

    def total(self, operation: str, value: Any) -> Any:
        """One scalar from the lanes of an accumulator, where they belong to one line."""
        if not isinstance(value, Register):
            value = self.k.number(value, self.kind)
        return self.k.reduce(operation, value) if self.nest.along else value

    def sum(self, function: Callable[[Register], Any]) -> Any:
        """The sum of function(x) over the line."""

        def step(total: Any, x: Register, mask: Mask) -> Any:
            value = function(x)
            return total + (self.k.keep(mask, value, 0.0) if self.nest.along else value)

        return self.total("add", self.fold(step, 0.0, lambda a, b: a + b))

    def maximum(self) -> Any:
        """The largest element, where none is NaN."""
        k = self.k

        def larger(a: Any, b: Any) -> Any:
            return k.select(k.compare("greater", a, b), a, b) if isinstance(a, Register) else b

        def step(top: Any, x: Register, mask: Mask) -> Any:
            x = k.keep(mask, x, float("-inf")) if self.nest.along else x
            return k.select(k.compare("greater", x, top), x, top)

        return self.total("maximum", self.fold(step, float("-inf"), larger))

    def each(self, body: Callable[[Register, Position, Mask], None]) -> None:
        """body(x, position, mask) for all vectors of the line."""
        if self.registers is not None:
            for x, (indices, mask) in zip(self.registers, _unrolled(self), strict=True):
                body(x, self.nest.position(indices), mask)
            return

        def vector(indices: Indices, mask: Mask) -> None:
            body(self._load(self._place(indices), mask), self.nest.position(indices), mask)

        self._walk(vector)

    def map_sum(
        self, function: Callable[[Register, Mask], Register], memory: Callable[[], Pointer]
    ) -> tuple[Line, Any]:
        """The line of function(x, mask) and its sum; kept in registers as this one, or in `memory`.

        `function` gives 0 in lanes that the mask excludes.
        """
        if self.registers is not None:
            pairs = zip(self.registers, self._masks(), strict=True)
            line = replace(self, registers=tuple(function(x, mask) for x, mask in pairs))
            return line, line.sum(lambda x: x)
        target = memory()

        def step(total: Any, x: Register, mask: Mask, place: Index) -> Any:
            value = function(x, mask)
            self.k.store(target, place, value, mask)
            return total + value

        total = self.total("add", self._fold(step, 0.0, lambda a, b: a + b))
        return replace(self, pointer=target), total

    def _walk(self, body: Callable[[Indices, Mask], None]) -> None:
        k, inside = self.k, self.nest.inside

        def nest(place: int, indices: Indices) -> None:
            if place < len(inside):
                run = inside[place]
                k.loop(
                    f"r{place}",
                    0,
                    k.dim(run.length),
                    lambda i: nest(place + 1, {**indices, run: i}),
                )
            elif self.nest.along:
                last = self.nest.runs[-1]
                for_each_vector(
                    k, "v", last.length, lambda i, _, mask: body({**indices, last: i}, mask)
                )
            else:
                body(indices, self.mask)

        nest(0, self.indices)


def for_each_line(
    k: GroupKernel, nest: Nest, pointer: Pointer, dtype: str, body: Callable[[Line], None]
) -> None:
    """body(line) for every line of the array, or for as many side by side as a vector has lanes."""

    def kept(indices: Indices) -> None:
        if nest.along:
            body(_loaded(Line(k, nest, pointer, dtype, indices, _lanes(k, nest))))
            return
        last = nest.runs[-1]
        for_each_vector(
            k,
            "c",
            last.length,
            lambda c, lanes, mask: body(
                _loaded(Line(k, nest, pointer, dtype, {**indices, last: c}, lanes, mask))
            ),
        )

    nest.for_each_kept(k, kept)


def _lanes(k: GroupKernel, nest: Nest) -> int:
    return 1 if nest.runs[-1].length == 1 else k.lanes


def _loaded(line: Line) -> Line:
    """The line in registers, where it takes at most half of them."""
    k, nest = line.k, line.nest
    if not isinstance(nest.count, int):
        return line
    vectors = -(-nest.count // line.lanes) if nest.along else nest.count
    if nest.along and nest.inside:
        vectors = -(-known_dim(nest.runs[-1].length) // line.lanes)
        for run in nest.inside:
            vectors *= known_dim(run.length)
    if vectors > k.target.vector_registers // 2:
        return line
    return replace(
        line,
        registers=tuple(
            line._load(line._place(indices), mask) for indices, mask in _unrolled(line)
        ),
    )


def _unrolled(line: Line) -> list[tuple[Indices, Mask]]:
    """Places and masks of the vectors of a line of fixed length."""
    nest, k = line.nest, line.k
    found: list[Indices] = [line.indices]
    for run in nest.inside:
        found = [{**indices, run: i} for indices in found for i in range(known_dim(run.length))]
    if not nest.along:
        return [(indices, line.mask) for indices in found]
    last = nest.runs[-1]
    length = known_dim(last.length)
    return [
        ({**indices, last: i}, k.tail_mask(length - i, line.lanes))
        for indices in found
        for i in range(0, length, line.lanes)
    ]


def offset_of(k: GroupKernel, indices: Indices) -> Index:
    """Offset of the element at `indices`."""
    place: Index = 0
    for run, index in indices.items():
        place = place + index * k.dim(run.stride)
    return place
