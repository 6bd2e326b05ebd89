"""The page: one file, closed to the network and to names that try to break out; and it runs."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kerac.inspector.page import page_text
from kerac.inspector.report import Report
from kerac.ir import parse
from kerac.passes.pipeline import run_pipeline
from tests.inspector.traces import nested, report

EVIL = "</script><img src=x onerror=alert(1)>"


def data_of(page: str) -> dict:
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(text)


def test_the_page_holds_every_graph_once() -> None:
    data = data_of(page_text(report()))
    assert len(data["graphs"]) == 1 + sum(not stage["unchanged"] for stage in data["stages"])
    assert data["overall"]["before"] == 0
    assert data["overall"]["after"] == len(data["graphs"]) - 1
    for stage in [data["overall"], *data["stages"]]:
        for side in ("before", "after"):
            assert len(stage[f"marks_{side}"]) == len(data["graphs"][stage[side]]["boxes"])


def test_boxes_know_their_weights_and_origins() -> None:
    last = data_of(page_text(report()))["graphs"][-1]
    (box,) = [box for box in last["boxes"] if box["op"] == "convolution"]
    assert box["layers"] == ["block/conv", "block/relu"]
    assert box["passes"] == ["fuse_activation"]
    role, name, place, type_, text, origin = box["operands"][1]
    assert (role, name, place, type_) == ("kernel", "kernel", -1, "f32[3, 3, 4, 4]")
    assert text == '"block/conv/kernel"'
    assert origin == "block/conv"
    lines = {name: line for line, name in last["text"]}
    assert lines[box["name"]].startswith("    activation: ")


def test_nothing_is_loaded_from_anywhere() -> None:
    page = page_text(report())
    assert "default-src 'none'" in page
    own = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|\bsrc=|@import|url\((?!#)", own)


def test_names_cannot_break_out() -> None:
    graph = parse(f"def f(x: f32[N]):\n    y = relu(x)  # {EVIL}\n    return {{{EVIL!r}: y}}")
    page = page_text(Report(run_pipeline(graph)))
    assert EVIL not in page
    assert data_of(page)["layers"][0]["layer"] == EVIL


ADDRESSES = (
    "",
    "#fuse_activation/picture/after/activation",
    "#fuse_activation/text",
    "#all%20passes/layers",
    "#all%20passes/kernels",
    "#nonsense/%",
)


def evil() -> Report:
    return Report(
        run_pipeline(parse(f"def f(x: f32[N]):\n    y = relu(x)  # {EVIL}\n    return y"))
    )


def nested_report() -> Report:
    return Report(run_pipeline(nested()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "address"),
    [*((report, address) for address in ADDRESSES), (nested_report, ""), (evil, "")],
)
def test_a_browser_runs_it(make: Callable[[], Report], address: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("chromium is not installed")
    shown, path = make(), tmp_path / "page.html"
    path.write_text(page_text(shown), encoding="utf-8")
    result = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
         "--virtual-time-budget=2000", "--dump-dom", f"file://{path}{address}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in result.stderr, result.stderr
    assert f">{shown.first.graph.name}</h1>" in result.stdout
    assert result.stdout.count('aria-selected="true"') >= 2
    assert "<img" not in result.stdout.partition("<script")[0]
