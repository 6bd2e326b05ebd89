"""Plan memory: where in one arena arrays lie, so that those that live at other times share it.

Sizes are polynomials in the symbolic dims. Arrays whose sizes are multiples of the same polynomial
(all that grow with the batch, say) share a region, in which offsets are planned once for every
value of the symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import gcd
from typing import Any

from kerac.backends.llvm.plan import Buffer, Plan
from kerac.ir.dims import Dim, DimLike, known_dim

ALIGNMENT = 64  # bytes: a cache line, and the widest vector

Lifetimes = dict[Buffer, tuple[int, int]]  # numbers of the first and the last launch


@dataclass(frozen=True)
class Slot:
    """Bytes `offset` ... `offset + size` of a region, both times the region's factor."""

    factor: DimLike
    offset: int
    size: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where buffers lie: regions follow one another, each `factor * size` bytes long.

    `used` is how much of that is alive at the same time at most: no region can be smaller.
    """

    slots: dict[Buffer, Slot]
    regions: dict[DimLike, int]
    used: dict[DimLike, int]

    @property
    def total(self) -> DimLike:
        """Bytes of the arena."""
        return sum((factor * size for factor, size in self.regions.items()), start=0)

    @property
    def most_used(self) -> DimLike:
        """The least bytes that an arena of these regions can have."""
        return sum((factor * size for factor, size in self.used.items()), start=0)

    def __str__(self) -> str:
        lines = [f"arena: {self.total} bytes, at most {self.most_used} of them used at a time"]
        for buffer, slot in sorted(
            self.slots.items(), key=lambda item: (str(item[1].factor), item[1].offset)
        ):
            start, stop = slot.offset, slot.offset + slot.size
            scale = "" if slot.factor == 1 else f"{slot.factor} * "
            lines.append(f"    {scale}({start} ... {stop}) {buffer.name}: {buffer.type}")
        return "\n".join(lines)

    def region_start(self, factor: DimLike) -> DimLike:
        """Where the region of `factor` begins, in bytes."""
        start: DimLike = 0
        for other, size in self.regions.items():
            if other == factor:
                break
            start = start + other * size
        return start


def plan_memory(plan: Plan) -> MemoryPlan:
    """Give every arena buffer of `plan` a place.

    Buffers are placed one after the other, as low as their lifetimes allow; the best of some orders
    is taken, region by region.
    """
    lifetimes = _lifetimes(plan)
    regions: dict[DimLike, dict[Buffer, int]] = {}
    for buffer in lifetimes:
        factor, size = _request(buffer)
        regions.setdefault(factor, {})[buffer] = size
    found, slots, used = {}, {}, {}
    for factor, sizes in regions.items():
        used[factor] = _most_alive(sizes, lifetimes)
        found[factor], offsets = _place(sizes, lifetimes, used[factor])
        for buffer, offset in offsets.items():
            slots[buffer] = Slot(factor, offset, sizes[buffer])
    return MemoryPlan(slots, found, used)


def _place(
    sizes: Mapping[Buffer, int], lifetimes: Lifetimes, bound: int
) -> tuple[int, dict[Buffer, int]]:
    """Bytes of a region, and where in it each buffer lies."""

    def length(buffer: Buffer) -> int:
        first, last = lifetimes[buffer]
        return last - first + 1

    orders: tuple[Callable[[Buffer], Any], ...] = (
        lambda buffer: -sizes[buffer],
        lambda buffer: (-sizes[buffer], -length(buffer)),
        lambda buffer: (-length(buffer), -sizes[buffer]),
        lambda buffer: -sizes[buffer] * length(buffer),
        lambda buffer: (lifetimes[buffer][0], -sizes[buffer]),
        lambda buffer: (-lifetimes[buffer][1], -sizes[buffer]),
    )
    best: tuple[int, dict[Buffer, int]] | None = None
    for order in orders:
        offsets: dict[Buffer, int] = {}
        for buffer in sorted(sizes, key=order):
            first, last = lifetimes[buffer]
            taken = sorted(
                (offset, offset + sizes[other])
                for other, offset in offsets.items()
                if lifetimes[other][0] <= last and first <= lifetimes[other][1]
            )
            offsets[buffer] = _lowest_gap(taken, sizes[buffer])
        total = max(offset + sizes[buffer] for buffer, offset in offsets.items())
        if best is None or total < best[0]:
            best = total, offsets
        if total == bound:
            break
    return best or (0, {})


def _most_alive(sizes: Mapping[Buffer, int], lifetimes: Lifetimes) -> int:
    """The most bytes of `sizes` that are alive at the same time."""
    changes: dict[int, int] = {}
    for buffer, size in sizes.items():
        first, last = lifetimes[buffer]
        changes[first] = changes.get(first, 0) + size
        changes[last + 1] = changes.get(last + 1, 0) - size
    return max(accumulate(changes[step] for step in sorted(changes)), default=0)


def lower_bound(plan: Plan, dims: dict[str, int]) -> int:
    """The most bytes that are alive at the same time, for given dims: no plan can need less."""
    lifetimes = _lifetimes(plan)
    sizes = {
        buffer: known_dim(buffer.type.substitute(dims).size) * buffer.bytes for buffer in lifetimes
    }
    return _most_alive(sizes, lifetimes)


def _lifetimes(plan: Plan) -> Lifetimes:
    found: Lifetimes = {}
    for step, launch in enumerate(plan.launches):
        for buffer in launch.buffers:
            if buffer.place == "arena":
                found[buffer.memory] = (found.get(buffer.memory, (step, step))[0], step)
    return found


def _request(buffer: Buffer) -> tuple[DimLike, int]:
    """The symbolic factor of a buffer's size and the aligned number of bytes it multiplies."""
    size = buffer.type.size
    if not isinstance(size, Dim):
        return 1, _aligned(size * buffer.bytes)
    content = gcd(*(coefficient for _, coefficient in size.terms))
    return size // content, _aligned(content * buffer.bytes)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _lowest_gap(taken: list[tuple[int, int]], size: int) -> int:
    place = 0
    for start, stop in taken:
        if start - place >= size:
            break
        place = max(place, stop)
    return place
