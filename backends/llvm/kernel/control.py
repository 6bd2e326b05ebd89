"""Control flow of kernels under construction: loops, conditions and parallel regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, cast

from kerac.backends.llvm.kernel.nodes import (
    INDEX,
    If,
    Index,
    Kernel,
    Kind,
    Loop,
    Operand,
    Parallel,
    Register,
    Statement,
)
from kerac.ir.errors import InternalError

if TYPE_CHECKING:
    from kerac.backends.llvm.kernel.builder import KernelBuilder

ELEMENT = 8  # multiply-adds that take as long as an element from memory
GRAIN = 8192  # multiply-adds a lane, which take about 3 microseconds: less is not worth a thread


class ControlFlow:
    """The part of a builder that opens and closes blocks of statements."""

    def __init__(self, name: str, lanes: int) -> None:
        self.kernel = Kernel(name)
        self.lanes = lanes
        self._block: list[Statement] = self.kernel.body
        self._counts: dict[str, int] = {}
        self._taken: set[str] = set()
        self._is_parallel = False
        self._first_task: Index = 0

    @property
    def _builder(self) -> KernelBuilder:
        return cast("KernelBuilder", self)

    def _fresh(self, name: str) -> str:
        """`name`, or with the first number after it that makes it new: `c`, then `c1`, ..."""
        numbered = name in ("v", "s", "t", "b", "n", "m")
        while True:
            count = self._counts.get(name, 0)
            self._counts[name] = count + 1
            fresh = name if count == 0 and not numbered else f"{name}{count}"
            if fresh not in self._taken:
                self._taken.add(fresh)
                return fresh

    def _register(self, name: str, kind: Kind) -> Register:
        return Register(self._fresh(name), kind, self._builder)

    def _inside(self, body: Callable[[], Any]) -> tuple[list[Statement], tuple[Any, ...]]:
        """The statements that `body` appends, and the values it returns."""
        outer, self._block = self._block, []
        returned = _values(body())
        block, self._block = self._block, outer
        return block, returned

    def loop(
        self,
        name: str,
        start: Index,
        stop: Index,
        body: Callable[..., Any],
        *,
        step: int = 1,
        carried: Sequence[Operand] = (),
        kinds: Sequence[Kind] = (),
    ) -> tuple[Any, ...]:
        """`for name in range(start, stop, step)`: body(index, *carried) returns what is carried on.

        `kinds` are those of the numbers among the `carried`. Loops of known length 0 or 1 dissolve.
        """
        if isinstance(start, int) and isinstance(stop, int) and stop - start <= step:
            return _values(body(start, *carried)) if stop > start else tuple(carried)
        index = self._register(name, INDEX)
        carried_kinds = [
            value.kind if isinstance(value, Register) else kinds[place]
            for place, value in enumerate(carried)
        ]
        inside = tuple(self._register(f"{name}_in", kind) for kind in carried_kinds)
        results = tuple(self._register(f"{name}_out", kind) for kind in carried_kinds)
        block, following = self._inside(lambda: body(index, *inside))
        if len(following) != len(carried):
            raise InternalError(
                f"loop {name} carries {len(carried)} values, but its body returns {len(following)}"
            )
        self._block.append(
            Loop(index, start, stop, step, inside, tuple(carried), block, following, results)
        )
        return results

    def when(self, condition: Operand, body: Callable[[], Any]) -> None:
        """Do `body` where `condition` holds; a condition known now leaves no trace."""
        if not isinstance(condition, Register):
            if condition:
                body()
            return
        block, _ = self._inside(body)
        self._block.append(If(condition, block))

    def parallel(
        self, extents: Mapping[str, Index], body: Callable[..., Any], *, cost: Index
    ) -> None:
        """body(*indices) for all indices below `extents`, the last one fastest: one task for each.

        Tasks run side by side and in any order, so none reads or writes what another one writes.
        `cost` is what a task costs at least, in multiply-adds; an element that comes from memory
        counts as `ELEMENT`. What costs too little runs in one thread. A region inside a region is a
        nest of loops, and so is one that always costs too little.
        """
        sizes = tuple(extents.values())
        if any(isinstance(size, int) and size <= 0 for size in sizes):
            return
        known = all(isinstance(value, int) for value in (*sizes, cost))
        small = known and prod(cast(Sequence[int], sizes)) * cast(int, cost) < 2 * self.grain
        if self._is_parallel or small or all(size == 1 for size in sizes):
            self._serial(list(extents.items()), (), body)
            return
        self._is_parallel = True
        self._append_region(extents, body, cost)
        self._is_parallel, self._first_task = False, 0

    @property
    def first_task(self) -> Index:
        """Inside a parallel region: the first of the tasks that are done one after the other here.

        Of what runs side by side, each has its own; so it says where there is memory to work in.
        """
        return self._first_task

    @property
    def grain(self) -> int:
        """Multiply-adds that are worth a thread."""
        return GRAIN * self.lanes

    def _serial(
        self,
        extents: Sequence[tuple[str, Index]],
        indices: tuple[Index, ...],
        body: Callable[..., Any],
    ) -> None:
        if not extents:
            body(*indices)
            return
        (name, extent), *rest = extents
        self.loop(name, 0, extent, lambda i: self._serial(rest, (*indices, i), body))

    def _append_region(
        self, extents: Mapping[str, Index], body: Callable[..., Any], cost: Index
    ) -> None:
        k = self._builder
        # the region is what depends on the tasks; their number is computed before it
        total: Index = 1
        for extent in extents.values():
            total = k.multiply(total, extent)
        threads = k.quotient(k.multiply(total, cost), self.grain)
        region = self._region(extents, body, (total, threads))
        # tasks are told apart by dividing by the later extents, which may be 0
        may_divide_by_zero = any(isinstance(size, Register) for size in region.extents[1:])
        there_is_work = k.compare("greater", total, 0) if may_divide_by_zero else True
        self.when(there_is_work, lambda: self._block.append(region))

    def _region(
        self, extents: Mapping[str, Index], body: Callable[..., Any], numbers: tuple[Index, Index]
    ) -> Parallel:
        """A region; `numbers` are those of its tasks and of the threads it is worth."""
        k = self._builder
        first, last = self._register("first", INDEX), self._register("last", INDEX)
        self._first_task = first
        axes = [(name, extent) for name, extent in extents.items() if extent != 1]

        def task(number: Index, *carried: Index) -> list[Index]:
            found = iter(carried if len(axes) > 1 else (number,))
            body(*(0 if extent == 1 else next(found) for extent in extents.values()))
            return _advanced(k, carried, [extent for _, extent in axes])

        def tasks() -> None:
            carried = _unravelled(k, first, [extent for _, extent in axes]) if axes[1:] else []
            name = axes[0][0] if len(axes) == 1 else "task"
            self.loop(name, first, last, task, carried=carried, kinds=[INDEX] * len(carried))

        block, _ = self._inside(tasks)
        names = tuple(name for name, _ in axes)
        sizes = tuple(extent for _, extent in axes)
        return Parallel(names, sizes, *numbers, first, last, block)


def _unravelled(k: KernelBuilder, number: Index, extents: Sequence[Index]) -> list[Index]:
    """The indices of a task."""
    found: list[Index] = []
    for extent in extents[:0:-1]:
        found.insert(0, k.remainder(number, extent))
        number = k.quotient(number, extent)
    return [number, *found]


def _advanced(k: KernelBuilder, indices: Sequence[Index], extents: Sequence[Index]) -> list[Index]:
    """The indices of the next task, by counting instead of dividing."""
    following = list(indices)
    if not following:
        return following
    following[-1] = k.add(following[-1], 1)
    for place in range(len(following) - 1, 0, -1):
        full = k.compare("equal", following[place], extents[place])
        following[place] = k.select(full, 0, following[place], INDEX)
        following[place - 1] = k.select(
            full, k.add(following[place - 1], 1), following[place - 1], INDEX
        )
    return following


def _values(returned: Any) -> tuple[Any, ...]:
    if returned is None:
        return ()
    return tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
