"""One contestant in a process of its own, told what to do by lines of JSON.

It reads what to prepare (`prepare` as module:function, the paths `inputs`, `outputs`, `model`, and
perhaps `weights` and `onnx`, the number of `threads`, the lengths to `tune` for or null) and
answers `ready`, the seconds that took, or `failed`, the reason. Then each line it reads is a number
of seconds to fill; it answers `samples`, the seconds of calls, and `memory`, the bytes it held at
most.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from kerac.timing.contestants import Job, Run

SHORTEST_SAMPLE = 1e-3  # seconds: shorter calls are timed several at once


def main() -> None:
    """Prepare the contestant, then take turns until the input ends."""
    # libraries that print must not disturb the protocol
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    orders = json.loads(sys.stdin.readline())
    try:
        start = time.perf_counter()
        run = _prepare(orders)
        _say(replies, ready=time.perf_counter() - start)
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        _say(replies, failed=f"{type(error).__name__}: {reason[0]}")
        return
    for line in sys.stdin:
        samples = sample(run, float(line))
        # kilobytes on Linux
        memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _say(replies, samples=samples, memory=memory)


def sample(run: Run, seconds: float) -> list[float]:
    """Times of calls that fill `seconds`, at least one; each is a mean over a millisecond.

    The first call counts only where it fills them alone.
    """
    first = _timed(run, 1)  # brings back to the caches what others displaced
    if first >= seconds:
        return [first]
    repeats = max(1, round(SHORTEST_SAMPLE / max(_timed(run, 1), 1e-9)))
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while not samples or time.perf_counter() < end:
        samples.append(_timed(run, repeats))
    return samples


def _timed(run: Run, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def _prepare(orders: dict[str, Any]) -> Run:
    """The contestant's run, after its first one, whose outputs are saved."""
    threads = orders["threads"]
    # libraries size their pools by the processors they may use
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    module, _, function = orders["prepare"].partition(":")
    with np.load(orders["inputs"]) as archive:
        inputs = {name: archive[name] for name in archive.files}
    model, weights, onnx = (
        Path(orders[name]) if orders[name] else None for name in ("model", "weights", "onnx")
    )
    job = Job(model or Path(), inputs, threads, weights, onnx, orders["tune"])
    run: Run = getattr(importlib.import_module(module), function)(job)
    outputs = run()
    np.savez(orders["outputs"], *outputs)
    return run


def _say(replies: IO[str], **reply: Any) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
