"""`kerac bench`: who runs, what is said of those that cannot, and counted work."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from kerac.ir import parse
from kerac.ir.work import multiply_adds
from kerac.timing.contestants import KERAC, PEAK, Contestant, Job
from kerac.timing.report import Report, as_table
from kerac.timing.rounds import Timing, compare
from tests.command_line.conftest import Run


def test_table(kerac: Run, mlp: Path) -> None:
    result = kerac("bench", mlp, "--seconds", 0.01, "--no-peers", "--batch", 4)
    assert result.exit_code == 0, result.stderr
    heading, _, row, *rest = result.stdout.splitlines()
    assert heading.split("|")[1].split() == ["network"]
    assert row.split("|")[1].strip() == mlp.stem
    assert row.split("|")[2].strip() == "4"
    assert "GFLOP/s" in rest[-1]


def test_peers_agree(kerac: Run, mlp: Path) -> None:
    pytest.importorskip("onnxruntime")
    result = kerac("bench", mlp, "--seconds", 0.01, "--json")
    assert result.exit_code == 0, result.stderr
    (report,) = json.loads(result.stdout)
    peer = report["peers"]["ONNX Runtime"]
    assert peer["difference"] < 1e-5
    assert peer["ms"] > 0
    assert report["memory_bytes"] > 1 << 20


def prepare_nothing(job: Job) -> None:
    raise OSError("the disk is gone\nand more")


def test_free_dimensions_get_lengths(kerac: Run, two: Path) -> None:
    result = kerac("bench", two, "--seconds", 0.01, "--no-peers", "--json", "--dim", "T=5")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)[0]["lengths"] == {"N": 1, "T": 5}


def test_who_cannot_run_says_why(mlp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([folder, *sys.path]))
    broken = Contestant("broken", "test_bench:prepare_nothing")
    missing = Contestant("missing", "no_such_module:prepare")
    job = Job(mlp, {"x": np.zeros((1, 3), np.float32)})
    timings = compare(job, [KERAC, broken, missing], 0.01)
    assert not timings["kerac"].failure
    assert timings["broken"].failure == "OSError: the disk is gone"
    assert timings["missing"].failure.startswith("ModuleNotFoundError: ")


def test_ratios_are_of_the_best_peer() -> None:
    ours = Timing("kerac", rounds=[[2.0, 2.0], [3.0]], outputs=[np.ones(2)])
    slow = Timing("slow", rounds=[[8.0], [12.0]], outputs=[np.ones(2)])
    fast = Timing("fast", rounds=[[3.0], [4.5]], outputs=[np.array([1.0, 1.5])])
    peak = Timing(PEAK.name, rounds=[[1.0], [1.0]], outputs=[np.array(4e9)])
    gone = Timing("gone", failure="no")
    timings = {timing.name: timing for timing in (ours, peak, slow, gone, fast)}
    report = Report("net", {"N": 1}, 1, int(2e9), timings)
    assert report.best_peer is fast
    assert report.ratio == 1.5
    assert report.gflops == pytest.approx(2.0)
    assert report.peak_gflops == pytest.approx(4.0)
    assert fast.difference(ours) == 0.5
    table = as_table([report, report])
    assert "8 (4.00)" not in table
    assert "1e+04 (4.00)" in table
    assert "net: gone could not run: no" in table
    assert "Geometric mean of the best ratios: 1.50" in table


def test_multiply_adds_are_counted_by_the_meaning_of_ops() -> None:
    graph = parse("""
def f(x: f32[N, 8, 8, 4], k: f32[3, 3, 2, 6], w: f32[6, 5], s: f32[N, T, 3], r: f32[3, 8], u: f32[2, 8], b: f32[8]):
    c = convolution(x, k, groups=2, padding="same", strides=(2, 2))
    d = dense(c, w)
    l: (f32[N, T, 2], f32[N, 2], f32[N, 2]) = lstm(s, r, u, bias=b)
    h = item(l, index=1)
    return d, h
""")  # noqa: E501
    convolution, dense, lstm = 16 * 6 * 18, 16 * 6 * 5, 24 + 16
    assert str(multiply_adds(graph)) == f"{lstm}*N*T + {convolution + dense}*N"
