"""How long each launch of a plan takes, by the machine's cycle counter between launches."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerac.backends.llvm.jit import load_plan
from kerac.backends.llvm.plan import Launch, Plan
from kerac.backends.llvm.target import Target
from kerac.runtime import Executable


@dataclass(frozen=True)
class LaunchTime:
    """The median time of one launch."""

    launch: Launch
    seconds: float


def time_launches(
    plan: Plan, target: Target, inputs: Sequence[np.ndarray], seconds: float = 1.0
) -> list[LaunchTime]:
    """Times of all launches of `plan` on `inputs`, over runs that fill some seconds."""
    loaded = load_plan(plan, target, "timed", timed=True)
    executable = Executable(loaded.information, loaded.keep, threads=1)
    count = len(plan.launches)
    noted = np.ctypeslib.as_array((ctypes.c_int64 * (count + 1)).from_address(loaded.ticks))
    executable(*inputs)
    runs: list[np.ndarray] = []
    begin, first = time.perf_counter(), None
    while len(runs) < 5 or time.perf_counter() - begin < seconds:
        executable(*inputs)
        first = int(noted[0]) if first is None else first
        runs.append(np.diff(noted))
        end, last = time.perf_counter(), int(noted[-1])
    # the counter counts at a constant rate, which the time of all runs gives
    rate = (last - (first or 0)) / (end - begin)
    return [
        LaunchTime(launch, float(ticks) / rate)
        for launch, ticks in zip(plan.launches, np.median(runs, axis=0), strict=True)
    ]
