"""`kerac inspect`: text, differences, JSON, Graphviz, kernels and the page."""

import json
from pathlib import Path

import pytest

from kerac.ir import parse
from kerac.passes.pipeline import PASSES
from tests.command_line.conftest import Run


def test_the_passes_and_the_graph(kerac: Run, mlp: Path) -> None:
    result = kerac("inspect", mlp)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("# pass ")
    assert "# fuse_activation " in result.stdout
    # what it writes is a graph that it reads
    graph = parse(result.stdout)
    assert graph.output_names == ("probabilities",)
    assert str(graph) == result.stdout[result.stdout.index("def ") :]


def test_what_one_pass_changed(kerac: Run, mlp: Path) -> None:
    result = kerac("inspect", mlp, "--pass", "fuse_activation")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("@ fuse_activation: ")
    assert any(line.startswith("-     activation: f32[N, 2] = relu(hidden)") for line in lines)
    assert any(line.startswith("+     activation: f32[N, 2] = dense(") for line in lines)
    idle = kerac("inspect", mlp, "--pass", "inline_calls")
    assert (idle.exit_code, idle.stdout) == (0, "")
    assert idle.stderr == "inline_calls changes nothing\n"


def test_passes_that_are_not_there(kerac: Run, mlp: Path) -> None:
    result = kerac("inspect", mlp, "--pass", "fuse_everything")
    assert result.exit_code == 2
    assert "there is no pass 'fuse_everything'; the passes are\n  inline_calls\n" in result.stderr


def test_what_each_pass_changed(kerac: Run, mlp: Path) -> None:
    headings = [
        line
        for line in kerac("inspect", mlp, "--print-changed").stdout.splitlines()
        if line[0] == "@"
    ]
    assert any(line.startswith("@ fuse_activation: ") for line in headings)
    assert not any(line.startswith("@ inline_calls") for line in headings)


def test_json(kerac: Run, mlp: Path) -> None:
    found = json.loads(kerac("inspect", mlp, "--json").stdout)
    assert found["name"] == "mlp"
    assert len(found["passes"]) == len(PASSES)
    assert found["kernels"]["launches"]
    assert found["outputs"] == [{"name": "probabilities", "type": "f32[N, 3]"}]


def test_graphviz_of_any_stage(kerac: Run, mlp: Path) -> None:
    last = kerac("inspect", mlp, "--dot").stdout
    first = kerac("inspect", mlp, "--dot", "--pass", "inline_calls").stdout
    assert last.startswith('digraph "mlp" {')
    assert '"hidden" -> "activation"' in first
    assert '"hidden" -> "activation"' not in last


def test_kernels(kerac: Run, mlp: Path) -> None:
    text = kerac("inspect", mlp, "--kernels").stdout
    for heading in ("# launches, in order", "# memory", "# kernels"):
        assert heading in text
    assert "input f32[N, 3]" in text


def test_the_page(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    result = kerac("inspect", mlp, "--html", path)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert str(path) in result.stderr


@pytest.mark.parametrize("arguments", [["--batch", 5], ["--dim", "N=5"]], ids=["batch", "dim"])
def test_fixed_dimensions(kerac: Run, mlp: Path, arguments: list[object]) -> None:
    assert "def mlp(x: f32[5, 3]):" in kerac("inspect", mlp, *arguments).stdout


def test_every_pass_is_checked_on_demand(kerac: Run, mlp: Path) -> None:
    assert kerac("inspect", mlp, "--check").exit_code == 0
