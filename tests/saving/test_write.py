"""Archives written here are loaded by real Keras, and failures leave nothing behind."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from kerac.ir.errors import CompileError
from kerac.saving.model_file import read_model_file, read_weights_file
from kerac.saving.write import write_archive, write_weights
from tests.saving.models import Node, Variable, random_model

METADATA = {"keras_version": "3.0.0", "date_saved": "2026-01-01@00:00:00"}


def value_of(variable: Variable) -> np.ndarray:
    return variable.value


def config_of(model: keras.Model) -> dict:
    with keras.src.saving.serialization_lib.ObjectSharingScope():
        return keras.saving.serialize_keras_object(model)


@pytest.mark.parametrize("seed", range(30, 40))
def test_keras_loads_archives(seed: int, tmp_path: Path) -> None:
    model = random_model(seed, share_across_models=False)
    path = tmp_path / "model.keras"
    write_archive(path, config_of(model), METADATA, Node(model), value_of)
    keras.utils.clear_session()
    loaded = keras.models.load_model(path)
    for before, after in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before), strict=True)
    file = read_model_file(path)
    assert file.keras_version == "3.0.0"
    assert len(list(file.weights.values(Node(loaded)))) == len(model.weights)


def test_keras_loads_narrow_floats(tmp_path: Path) -> None:
    keras.utils.clear_session()
    model = keras.Sequential(
        [layers.Input((3,)), layers.Dense(4, dtype="bfloat16"), layers.Dense(4, dtype="float16")]
    )
    path = tmp_path / "model.keras"
    write_archive(path, config_of(model), METADATA, Node(model), value_of)
    loaded = keras.models.load_model(path)
    for before, after in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before), strict=True)
    values = list(read_model_file(path).weights.values(Node(loaded)))
    assert [value.dtype.name for _, value in values] == ["bfloat16"] * 2 + ["float16"] * 2


def small_model() -> keras.Model:
    keras.utils.clear_session()
    return keras.Sequential([layers.Input((3,)), layers.Dense(4), layers.BatchNormalization()])


def test_equal_models_are_equal_files(tmp_path: Path) -> None:
    model = small_model()
    for name in ("a.keras", "b.keras"):
        write_archive(tmp_path / name, config_of(model), METADATA, Node(model), value_of)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]


def test_weights_files(tmp_path: Path) -> None:
    model = small_model()
    path = tmp_path / "model.weights.h5"
    write_weights(path, Node(model), value_of)
    for variable, value in read_weights_file(path).values(Node(model)):
        np.testing.assert_array_equal(value, variable.value, strict=True)


def test_after_a_failure_nothing_has_changed(tmp_path: Path) -> None:
    model = small_model()
    path = tmp_path / "model.keras"
    path.write_bytes(b"old")

    def wrong(variable: Variable) -> np.ndarray:
        return np.zeros(7, "f4") if variable.name == "beta" else variable.value

    def failing(variable: Variable) -> np.ndarray:
        raise RuntimeError("no value")

    with pytest.raises(
        CompileError, match=r"beta has shape \(4,\), but its value has shape \(7,\)"
    ):
        write_archive(path, config_of(model), METADATA, Node(model), wrong)
    with pytest.raises(RuntimeError, match="no value"):
        write_archive(path, config_of(model), METADATA, Node(model), failing)
    with pytest.raises(
        CompileError, match=r"config\.json: cannot be written: .*not JSON serializable"
    ):
        write_archive(path, {"a": object()}, METADATA, Node(model), value_of)
    with pytest.raises(
        CompileError, match=r"config\.json: cannot be written: .*not JSON compliant"
    ):
        write_archive(path, {"a": float("nan")}, METADATA, Node(model), value_of)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.keras"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    model = small_model()
    with pytest.raises(CompileError, match="cannot be written, because there is no folder"):
        write_weights(tmp_path / "missing" / "x.weights.h5", Node(model), value_of)
    with pytest.raises(CompileError, match="cannot be written, because it is a folder"):
        write_archive(tmp_path, config_of(model), METADATA, Node(model), value_of)
