"""The table of the benchmark of training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.training import KERAC, KERAS, TASKS, as_rows, as_table, prepare_kerac
from kerac.timing.contestants import Job
from kerac.timing.rounds import Timing
from kerac.timing.worker import sample


def timing(name: str, seconds: float) -> Timing:
    first = np.array([1.5, 2.5])
    return Timing(name, memory=300 * 2**20, rounds=[[seconds]], outputs=[first])


def test_table() -> None:
    steps = TASKS["mlp"].steps
    timings = {
        KERAC.name: timing(KERAC.name, 1e-3 * steps),
        KERAS[0].name: timing(KERAS[0].name, 4e-3 * steps),
        KERAS[1].name: Timing(KERAS[1].name, failure="ImportError: no"),
    }
    rows = as_rows("mlp", timings)
    assert [row.get("ratio") for row in rows] == [1.0, 4.0, None]
    _, _, ours, other, failed = as_table(rows).splitlines()
    cells = [cell.strip() for cell in ours.split("|")]
    assert cells[4:9] == ["1", "1", "1.50", "2.5", "300"]
    assert " 4.00 " in other
    assert "ImportError: no" in failed


def test_epoch(network_file: Callable[[str], Path]) -> None:
    data = TASKS["mlp"].data("mlp")
    rows = 2 * TASKS["mlp"].batch
    job = Job(network_file("mlp"), {name: array[:rows] for name, array in data.items()})
    ((first, cold),) = prepare_kerac(job)()
    assert 0 < first <= cold


def test_a_call_longer_than_its_turn_is_made_once() -> None:
    calls = []

    def run() -> list[np.ndarray]:
        calls.append(len(calls))
        return []

    assert len(sample(run, 0.0)) == len(calls) == 1
