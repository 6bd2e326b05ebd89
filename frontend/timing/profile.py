"""Where the time of a run goes: for each group of ops its kernels, arithmetic, bytes and roof."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.dims import known_dim, substitute
from kerac.timing.table import bytes_text, columns

if TYPE_CHECKING:
    from kerac.backends.llvm.plan import Launch
    from kerac.backends.llvm.timing import LaunchTime

Array = np.ndarray[Any, Any]
MEGABYTE = 1 << 20
WIDEST = 60  # characters of the names of layers
WORKING_SETS = (MEGABYTE // 4, 4 * MEGABYTE, 64 * MEGABYTE)  # of second level, third level, memory


@dataclass(frozen=True)
class Roof:
    """What the machine can do at most, measured now, on one core.

    `bandwidths` has bytes a second, read and written, for working sets of up to so many bytes.
    """

    flops: float
    bandwidths: Mapping[int, float]

    def seconds(self, flops: float, moved: int) -> float:
        """The least time for so much arithmetic on so many bytes, each moved once."""
        fitting = [speed for size, speed in self.bandwidths.items() if moved <= size]
        return max(flops / self.flops, moved / (fitting or [min(self.bandwidths.values())])[0])


@dataclass(frozen=True)
class Row:
    """One group of ops: the kernels that compute it and what they took. Times are in seconds."""

    layers: str
    kernels: tuple[str, ...]
    seconds: float
    flops: int
    bytes: int
    roof_seconds: float

    def as_dict(self, total: float) -> dict[str, Any]:
        """The row as data."""
        return {
            "layers": self.layers,
            "kernels": list(self.kernels),
            "ms": 1e3 * self.seconds,
            "share": self.seconds / total,
            "flops": self.flops,
            "bytes": self.bytes,
            "roof_share": self.roof_seconds / self.seconds,
        }


@dataclass(frozen=True)
class Profile:
    """What each group of ops of one run took, in the order of the run, and the machine's limits.

    As text it is a table for people.
    """

    name: str
    rows: Sequence[Row]
    roof: Roof

    @property
    def seconds(self) -> float:
        """The time of all rows."""
        return sum(row.seconds for row in self.rows)

    def slowest(self, count: int | None = None) -> Sequence[Row]:
        """So many rows, the slowest first; all in their order without a number."""
        rows = sorted(self.rows, key=lambda row: -row.seconds)
        return rows[:count] if count else self.rows

    def as_data(self, top: int | None = None) -> list[dict[str, Any]]:
        """The rows as data."""
        return [row.as_dict(self.seconds) for row in self.slowest(top)]

    def __str__(self) -> str:
        return self.table()

    def table(self, top: int | None = None) -> str:
        """The rows for people, their sum, and what the machine can do."""
        headings = ("layers", "kernel", "us", "share", "GFLOP/s", "bytes", "of roof")
        cells = [self._cells(row) for row in self.slowest(top)]
        whole = Row(
            "all",
            (),
            self.seconds,
            sum(row.flops for row in self.rows),
            sum(row.bytes for row in self.rows),
            sum(row.roof_seconds for row in self.rows),
        )
        speeds = ", ".join(
            f"{1e-9 * speed:.0f} GB/s up to {bytes_text(size)}"
            for size, speed in self.roof.bandwidths.items()
        )
        peak = f"roof: {1e-9 * self.roof.flops:.0f} GFLOP/s; {speeds}"
        return "\n".join([columns([headings, *cells, self._cells(whole)]), peak]) + "\n"

    def _cells(self, row: Row) -> tuple[str, ...]:
        names = row.layers
        return (
            names if len(names) <= WIDEST else f"{names[: WIDEST - 4]} ...",
            "+".join(row.kernels),
            f"{1e6 * row.seconds:.1f}",
            f"{row.seconds / self.seconds:.1%}",
            f"{1e-9 * row.flops / row.seconds:.0f}" if row.flops else "-",
            bytes_text(row.bytes),
            f"{row.roof_seconds / row.seconds:.0%}",
        )


def measure_roof() -> Roof:
    """The peak of multiply-adds and the speed of copies, the best of some tries."""
    from kerac.backends.llvm.peak import PeakLoop

    loop = PeakLoop()
    flops = max(loop.gflops() for _ in range(5)) * 1e9
    return Roof(flops, {size: max(_copy_speed(size) for _ in range(3)) for size in WORKING_SETS})


def _copy_speed(working_set: int) -> float:
    source = np.ones(working_set // 8, np.float32)
    target = np.empty_like(source)
    repeats = max(1, 16 * MEGABYTE // working_set)
    np.copyto(target, source)
    start = time.perf_counter()
    for _ in range(repeats):
        np.copyto(target, source)
    return 2 * source.nbytes * repeats / (time.perf_counter() - start)


def profile_rows(times: Sequence[LaunchTime], dims: Mapping[str, int], roof: Roof) -> list[Row]:
    """A row for each group of ops in order of their first launch."""
    groups: dict[tuple[int, ...], list[LaunchTime]] = {}
    for timed in times:
        groups.setdefault(tuple(map(id, timed.launch.values)), []).append(timed)
    return [_row(group, dims, roof) for group in groups.values()]


def _row(group: Sequence[LaunchTime], dims: Mapping[str, int], roof: Roof) -> Row:
    values = group[0].launch.values
    work = sum((value.op.multiply_adds(value) for value in values), start=0)
    flops = 2 * known_dim(substitute(work, dims))
    moved = sum(_bytes(timed.launch, dims) for timed in group)
    return Row(
        _name(group[-1].launch),
        tuple(timed.launch.kernel.name for timed in group),
        sum(timed.seconds for timed in group),
        flops,
        moved,
        roof.seconds(flops, moved),
    )


def _name(launch: Launch) -> str:
    """The layers of a launch, or the state that it changes, or else its last value."""
    layers = dict.fromkeys(layer for value in launch.values for layer in value.origin.layers)
    roles = zip(launch.kernel.pointers, launch.buffers, strict=True)
    changed = [b.name for pointer, b in roles if pointer.role != "in" and b.place == "input"]
    return " + ".join(layers or changed) or launch.values[-1].name


def _bytes(launch: Launch, dims: Mapping[str, int]) -> int:
    """Bytes of all arrays that a launch reads or writes."""
    return sum(
        known_dim(substitute(buffer.type.size, dims)) * buffer.bytes for buffer in launch.buffers
    )


def chrome_trace(profile: Profile) -> dict[str, Any]:
    """One run as Perfetto and chrome://tracing read it; times in microseconds."""
    events, start = [], 0.0
    for row in profile.rows:
        events.append(
            {
                "name": row.layers,
                "cat": "kernel",
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "ts": start,
                "dur": 1e6 * row.seconds,
                "args": {
                    "kernels": ", ".join(row.kernels),
                    "flops": row.flops,
                    "bytes": row.bytes,
                    "share of the roof": round(row.roof_seconds / row.seconds, 3),
                },
            }
        )
        start += 1e6 * row.seconds
    process = {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": profile.name}}
    return {"traceEvents": [process, *events], "displayTimeUnit": "ns"}
