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

FEWEST_ROUNDS = 7
SECONDS = 0.03  # that each of some plans is timed at least
TURN = 1e-3  # seconds of a turn at least


@dataclass(frozen=True)
class LaunchTime:
    """The median time of one launch."""

    launch: Launch
    seconds: float


def time_launches(
    plan: Plan, target: Target, inputs: Sequence[np.ndarray], seconds: float = 1.0
) -> list[LaunchTime]:
    """Times of all launches of `plan` on `inputs`, over runs that fill some seconds."""
    executable, noted = _load(plan, target)
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


def time_in_turns(
    plans: Sequence[Plan], target: Target, inputs: Sequence[np.ndarray]
) -> list[float]:
    """Cycles that runs of each plan take on `inputs`, all in turns, on one thread."""
    loaded = [_load(plan, target) for plan in plans]
    for executable, _ in loaded:
        executable(*inputs)
    rounds: list[list[int]] = []
    begin = time.perf_counter()
    while len(rounds) < FEWEST_ROUNDS or time.perf_counter() - begin < SECONDS * len(plans):
        rounds.append([_fewest(executable, noted, inputs) for executable, noted in loaded])
    return [float(cycles) for cycles in np.median(rounds, axis=0)]


def _fewest(executable: Executable, noted: np.ndarray, inputs: Sequence[np.ndarray]) -> int:
    """Cycles of the fastest of some runs, before which others may have emptied the caches."""
    cycles: list[int] = []
    begin = time.perf_counter()
    while len(cycles) < 2 or time.perf_counter() - begin < TURN:
        executable(*inputs)
        cycles.append(int(noted[-1] - noted[0]))
    return min(cycles)


def _load(plan: Plan, target: Target) -> tuple[Executable, np.ndarray]:
    """A plan that runs on one thread, and the cycle counts that each run notes."""
    loaded = load_plan(plan, target, "timed", timed=True)
    executable = Executable(loaded.information, loaded.keep, threads=1)
    count = len(plan.launches) + 1
    noted = np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(loaded.ticks))
    return executable, noted
