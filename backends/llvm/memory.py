"""Plan memory: where in one arena arrays lie, so that those that live at other times share it.

Sizes are polynomials in the symbolic dims. Arrays whose sizes are multiples of the same polynomial
(all that grow with the batch, say) share a region, in which offsets are planned once for every
value of the symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from kerac.backends.llvm.plan import Buffer, Plan
from kerac.ir.dims import Dim, DimLike, known_dim

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True)
class Slot:
    """Bytes `offset` ... `offset + size` of a region, both times the region's factor."""

    factor: DimLike
    offset: int
    size: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where buffers lie: regions follow one another, each `factor * size` bytes long."""

    slots: dict[Buffer, Slot]
    regions: dict[DimLike, int]

    @property
    def total(self) -> DimLike:
        """Bytes of the arena."""
        return sum((factor * size for factor, size in self.regions.items()), start=0)

    def __str__(self) -> str:
        lines = [f"arena: {self.total} bytes"]
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
    """Give every arena buffer of `plan` a place: largest first, as low as its lifetime allows."""
    lifetimes = _lifetimes(plan)
    slots: dict[Buffer, Slot] = {}
    requests = {buffer: _request(buffer) for buffer in lifetimes}
    for buffer in sorted(lifetimes, key=lambda buffer: -requests[buffer][1]):
        factor, size = requests[buffer]
        first, last = lifetimes[buffer]
        taken = sorted(
            (slot.offset, slot.offset + slot.size)
            for other, slot in slots.items()
            if slot.factor == factor
            and lifetimes[other][0] <= last
            and first <= lifetimes[other][1]
        )
        slots[buffer] = Slot(factor, _lowest_gap(taken, size), size)
    regions: dict[DimLike, int] = {}
    for slot in slots.values():
        regions[slot.factor] = max(regions.get(slot.factor, 0), slot.offset + slot.size)
    return MemoryPlan(slots, regions)


def lower_bound(plan: Plan, dims: dict[str, int]) -> int:
    """The most bytes that are alive at the same time, for given dims: no plan can need less."""
    lifetimes = _lifetimes(plan)
    sizes = {
        buffer: known_dim(buffer.type.substitute(dims).size) * buffer.bytes for buffer in lifetimes
    }
    return max(
        (
            sum(
                sizes[buffer]
                for buffer, (first, last) in lifetimes.items()
                if first <= step <= last
            )
            for step in range(len(plan.launches))
        ),
        default=0,
    )


def _lifetimes(plan: Plan) -> dict[Buffer, tuple[int, int]]:
    found: dict[Buffer, tuple[int, int]] = {}
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
