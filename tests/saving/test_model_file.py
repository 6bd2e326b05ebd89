"""Any kind of model file through one door."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from kerac.ir.errors import FormatError
from kerac.saving.file_kind import FileKind
from kerac.saving.layer_classes import layer_classes
from kerac.saving.model_file import read_model_file, read_weights_file
from tests.saving.models import Node, randomize
from tests.saving.test_archive import zipped


@pytest.fixture
def model() -> keras.Model:
    """Bidirectional, TimeDistributed, a nested model, a shared layer, two inputs, two outputs."""
    keras.utils.clear_session()
    first, second = layers.Input((5, 4), name="first"), layers.Input((5, 4), name="second")
    shared = layers.Dense(4, name="shared")
    inner = keras.Sequential([layers.Conv1D(4, 2), layers.BatchNormalization()], name="inner")
    y = layers.Concatenate()([shared(first), shared(second)])
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(y)
    z = layers.TimeDistributed(layers.Dense(2), name="each")(y)
    result = keras.Model([first, second], {"y": inner(y), "z": z[:, 1:]}, name="outer")
    randomize(result, 0)
    return result


PATHS = [
    "",
    "first",
    "second",
    "shared",
    "concatenate",
    "both",
    "both/forward_lstm",
    "both/backward_lstm",
    "inner",
    "inner/input_layer",
    "inner/conv1d",
    "inner/batch_normalization",
    "each",
    "each/dense",
    "get_item",
]


def check_weights(values: object, model: keras.Model) -> None:
    found = {variable.variable.path: value for variable, value in values}
    assert len(found) == len(model.weights)
    for weight in model.weights:
        np.testing.assert_array_equal(found[weight.path], np.asarray(weight), strict=True)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_models(name: str, model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / name
    model.save(path)
    for source in (path, str(path), path.read_bytes()):
        file = read_model_file(source)
        assert file.keras_version == keras.__version__
        assert sorted(item.path for item in layer_classes(file.config)) == sorted(PATHS)
        assert file.config.name == "outer"
        check_weights(file.weights.values(Node(model)), model)
        check_weights(read_weights_file(source).values(Node(model)), model)


def test_folders(model: keras.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        archive.extractall(tmp_path / "folder")
    file = read_model_file(tmp_path / "folder")
    assert file.kind is FileKind.FOLDER
    check_weights(file.weights.values(Node(model)), model)
    check_weights(read_weights_file(tmp_path / "folder").values(Node(model)), model)


def test_json_and_weights(model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(model.to_json())
    model.save_weights(tmp_path / "model.weights.h5")
    file = read_model_file(path)
    assert file.kind is FileKind.JSON
    assert file.weights is None
    assert sorted(item.path for item in layer_classes(file.config)) == sorted(PATHS)
    check_weights(read_weights_file(tmp_path / "model.weights.h5").values(Node(model)), model)
    with pytest.raises(FormatError, match="is JSON, which describes a model without weights"):
        read_weights_file(path)


def test_a_compiled_and_trained_model(tmp_path: Path) -> None:
    keras.utils.clear_session()
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2), layers.Dropout(0.5)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 3), "f4"), np.ones((4, 2), "f4"), verbose=0)
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        file = read_model_file(tmp_path / name)
        check_weights(file.weights.values(Node(model)), model)
    compiled = read_model_file(tmp_path / "model.keras").config.compile_config
    assert compiled["optimizer"]["class_name"] == "Adam"


def refusal(source: object) -> str:
    with pytest.raises(FormatError) as caught:
        read_model_file(source)
    return str(caught.value).replace(str(source), "FILE")


def test_files_that_are_no_models(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.ones(3)
    assert refusal(path).startswith(
        "FILE: is an HDF5 file, but not one that Keras wrote\n    it holds: x\n"
    )
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = 3
    assert refusal(path).startswith("FILE: model_config is not text, but JSON is expected")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "{"
    assert refusal(path).startswith("FILE:model_config:1:2: is not valid JSON")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = '{"class_name": "Sequential", "config": {"layers": []}}'
    assert refusal(path).startswith("FILE: is an HDF5 file, but not one that Keras wrote")


def test_errors_inside_an_archive_name_the_member(tmp_path: Path) -> None:
    config = json.dumps({"class_name": "Sequential", "config": {"layers": []}}).encode()
    path = tmp_path / "model.keras"
    path.write_bytes(zipped({"config.json": b"{", "model.weights.h5": b""}))
    assert refusal(path).startswith("FILE:config.json:1:2: is not valid JSON")
    path.write_bytes(zipped({"config.json": config, "model.weights.h5": b"x" * 100}))
    assert refusal(path).startswith("FILE:model.weights.h5: /: it does not begin as an HDF5 file")
    path.write_bytes(
        zipped({"config.json": config, "metadata.json": b"[]", "model.weights.h5": b""})
    )
    assert refusal(path).startswith("FILE:metadata.json: holds a list, but an object is expected")
