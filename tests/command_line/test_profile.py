"""`kerac profile`: a row for each group of ops, with its arithmetic, bytes and roof."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

import kerac as library
from kerac.timing.profile import Roof
from tests.command_line.conftest import Run


def test_every_layer_has_a_row(kerac: Run, mlp: Path) -> None:
    result = kerac("profile", mlp, "--seconds", 0.01, "--batch", 10)
    assert result.exit_code == 0, result.stderr
    heading, *rows = result.stdout.splitlines()
    assert heading.split()[0] == "layers"
    assert rows[0].startswith("hidden + activation")
    assert rows[-2].startswith("all")
    assert "GFLOP/s" in rows[-1]


def test_rows_as_data(kerac: Run, mlp: Path) -> None:
    result = kerac("profile", mlp, "--seconds", 0.01, "--batch", 10, "--json")
    rows = json.loads(result.stdout)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert sum(row["flops"] for row in rows) == 2 * 10 * (3 * 2 + 2 * 3)
    assert all(row["ms"] > 0 for row in rows)


def test_top_and_trace(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    result = kerac("profile", mlp, "--seconds", 0.01, "--top", 1, "--trace", path, "--json")
    assert len(json.loads(result.stdout)) == 1
    _, *events = json.loads(path.read_text())["traceEvents"]
    assert len(events) > 1
    for event, following in pairwise(events):
        assert following["ts"] == pytest.approx(event["ts"] + event["dur"])


def test_the_roof_is_the_longer_of_arithmetic_and_movement() -> None:
    roof = Roof(100.0, {10: 20.0, 100: 5.0})
    assert roof.seconds(1000, 10) == 10
    assert roof.seconds(1, 10) == 0.5
    assert roof.seconds(1, 11) == 2.2
    assert roof.seconds(1, 1000) == 200


def test_a_step_of_training(kerac: Run, tmp_path: Path) -> None:
    model = library.Sequential(
        [library.Input((6,)), library.layers.Dense(4, "softmax", name="head")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    result = kerac("profile", "--train", tmp_path / "model.keras", "--seconds", 0.01, "--json")
    assert result.exit_code == 0, result.stderr
    assert "head" in " ".join(row["layers"] for row in json.loads(result.stdout))


def test_a_model_that_is_not_compiled_has_no_step(kerac: Run, tmp_path: Path) -> None:
    model = library.Sequential([library.Input((6,)), library.layers.Dense(4)])
    model.save(tmp_path / "model.keras")
    result = kerac("profile", "--train", tmp_path / "model.keras")
    assert result.exit_code != 0
    assert "the model is not compiled" in result.stderr
