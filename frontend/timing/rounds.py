"""Let contestants take turns on one network: processes of their own, only one of them awake."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerac.timing.contestants import Contestant, Job

FEWEST_ROUNDS = 5
Array = np.ndarray[Any, Any]


@dataclass
class Timing:
    """What one contestant did: seconds of its calls, round by round, or why it could not run."""

    name: str
    prepare_seconds: float = 0.0
    memory: int = 0  # bytes, at most
    rounds: list[list[float]] = field(default_factory=list)
    outputs: list[Array] = field(default_factory=list)
    failure: str = ""

    @property
    def median(self) -> float:
        """Seconds of a call."""
        return statistics.median(sample for samples in self.rounds for sample in samples)

    def quantile(self, share: float) -> float:
        """Seconds that a `share` of the calls stay below."""
        return float(np.quantile([s for samples in self.rounds for s in samples], share))

    def over(self, other: Timing) -> float:
        """How many times as long as `other` it took: the median over the rounds."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(
            statistics.median(ours) / statistics.median(theirs) for ours, theirs in pairs
        )

    def difference(self, other: Timing) -> float:
        """The largest difference of any output, relative to the largest value of that output."""
        return max(
            float(np.abs(one - two).max() / max(np.abs(two).max(), np.finfo(np.float32).tiny))
            for one, two in zip(self.outputs, other.outputs, strict=True)
        )


def compare(
    job: Job,
    contestants: Sequence[Contestant],
    seconds: float,
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, Timing]:
    """Time `contestants` on `job`, each for about `seconds`, in turns; by name."""
    with tempfile.TemporaryDirectory(prefix="kerac-timing-") as folder:
        inputs = Path(folder) / "inputs.npz"
        arrays: dict[str, Any] = dict(job.inputs)
        np.savez(inputs, **arrays)
        racers = []
        for place, contestant in enumerate(contestants):
            on_step(f"preparing {contestant.name}")
            racers.append(_Racer(contestant, job, inputs, Path(folder) / f"outputs{place}.npz"))
        try:
            _take_turns([racer for racer in racers if racer.alive], seconds, on_step)
        finally:
            for racer in racers:
                racer.end()
    return {racer.timing.name: racer.timing for racer in racers}


def _take_turns(racers: Sequence[_Racer], seconds: float, on_step: Callable[[str], None]) -> None:
    if not racers:
        return
    on_step(f"timing {len(racers)} in turns")
    slowest = max(racer.first_call for racer in racers)
    # short turns, so that drifts of the machine meet all alike
    turn = max(min(seconds / FEWEST_ROUNDS, 0.25), min(slowest, 1.0))
    end = time.perf_counter() + seconds * len(racers)
    rounds = 0
    while rounds < FEWEST_ROUNDS or time.perf_counter() < end:
        for racer in racers:
            racer.turn(turn)
        rounds += 1


class _Racer:
    """The process of one contestant, which sleeps unless it is its turn."""

    def __init__(self, contestant: Contestant, job: Job, inputs: Path, outputs: Path) -> None:
        self.timing = Timing(contestant.name)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kerac.timing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **contestant.environment},
        )
        self.alive = True
        self.first_call = 0.0
        orders = {
            "prepare": contestant.prepare,
            "inputs": str(inputs),
            "outputs": str(outputs),
            "threads": job.threads,
            "tune": job.tune if job.tune is None else dict(job.tune),
            "model": str(job.model),
            "weights": str(job.weights) if job.weights else None,
            "onnx": str(job.onnx) if job.onnx else None,
        }
        reply = self._ask(json.dumps(orders))
        if "ready" not in reply:
            self._fail(reply.get("failed", "its process ended"))
            return
        self.timing.prepare_seconds = reply["ready"]
        with np.load(outputs) as archive:
            self.timing.outputs = [archive[name] for name in archive.files]
        start = time.perf_counter()
        self._ask("0")
        self.first_call = time.perf_counter() - start
        self.process.send_signal(signal.SIGSTOP)

    def turn(self, seconds: float) -> None:
        """Wake, be timed, sleep."""
        self.process.send_signal(signal.SIGCONT)
        reply = self._ask(str(seconds))
        self.process.send_signal(signal.SIGSTOP)
        self.timing.rounds.append(reply.get("samples", [float("nan")]))
        self.timing.memory = reply.get("memory", 0)

    def end(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.communicate()

    def _ask(self, line: str) -> dict[str, Any]:
        if self.process.stdin is None or self.process.stdout is None:
            return {}
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            found: dict[str, Any] = json.loads(self.process.stdout.readline() or "{}")
        except (BrokenPipeError, json.JSONDecodeError):
            return {}
        return found

    def _fail(self, reason: str) -> None:
        self.alive = False
        self.timing.failure = reason
        self.end()
