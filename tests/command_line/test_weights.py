"""A model's JSON and its weights in another file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.compare import assert_close


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Any, Path, Path]:
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(3)])
    model.save_weights(tmp_path / "model.weights.h5")
    (tmp_path / "model.json").write_text(model.to_json())
    return model, tmp_path / "model.json", tmp_path / "model.weights.h5"


def test_weights_come_from_another_file(
    kerac: Callable[..., Any], parts: tuple[Any, Path, Path], tmp_path: Path
) -> None:
    model, text, weights = parts
    x = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    arguments = ("run", text, "--weights", weights, "--input", tmp_path / "x.npy")
    result = kerac(*arguments, "-o", tmp_path / "y.npy")
    assert result.exit_code == 0, result.stderr
    assert_close(np.load(tmp_path / "y.npy"), np.asarray(model(x)))


@pytest.mark.parametrize("command", ["compile", "export", "verify"])
def test_a_model_without_weights_is_refused(
    kerac: Callable[..., Any], parts: tuple[Any, Path, Path], tmp_path: Path, command: str
) -> None:
    output = {"compile": ["-o", tmp_path / "m.so"], "export": ["-o", tmp_path / "m.onnx"]}
    result = kerac(command, parts[1], *output.get(command, []))
    assert result.exit_code == 3
    assert "describes a model without its weights, but they are needed" in result.stderr
    assert "--weights" in result.stderr


def test_its_graph_can_be_seen_all_the_same(
    kerac: Callable[..., Any], parts: tuple[Any, Path, Path]
) -> None:
    for command in ("inspect", "info"):
        assert kerac(command, parts[1]).exit_code == 0
