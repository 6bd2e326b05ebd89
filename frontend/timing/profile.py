"""Where the time of a run goes: for each group of ops its kernels, arithmetic, bytes and roof."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.dims import known_dim, substitute

if TYPE_CHECKING:
    from kerac.backends.llvm.plan import Launch
    from kerac.backends.llvm.timing import LaunchTime

Array = np.ndarray[Any, Any]
MEGABYTE = 1 << 20
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
    layers = dict.fromkeys(layer for value in values for layer in value.origin.layers)
    return Row(
        " + ".join(layers) or values[-1].name,
        tuple(timed.launch.kernel.name for timed in group),
        sum(timed.seconds for timed in group),
        flops,
        moved,
        roof.seconds(flops, moved),
    )


def _bytes(launch: Launch, dims: Mapping[str, int]) -> int:
    """Bytes of all arrays that a launch reads or writes."""
    return sum(
        known_dim(substitute(buffer.type.size, dims)) * buffer.bytes for buffer in launch.buffers
    )


def chrome_trace(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """One run as Perfetto and chrome://tracing read it; times in microseconds."""
    events, start = [], 0.0
    for row in rows:
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
    process = {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": name}}
    return {"traceEvents": [process, *events], "displayTimeUnit": "ns"}
