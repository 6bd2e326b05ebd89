"""Full-model and weights-only HDF5 files in Keras's old layout."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras.src.legacy.saving import legacy_h5_format

from kerac.ir.errors import FormatError
from kerac.saving.legacy import legacy_order
from kerac.saving.model_file import read_model_file, read_weights_file
from tests.saving.models import Node, random_model, randomize

# Keras cannot write the model of a seed where one layer stands twice in a Sequential.
SEEDS = [seed for seed in range(24) if seed not in (14, 18)]


@pytest.mark.parametrize("seed", SEEDS)
def test_full_models_are_read_as_keras_wrote_them(seed: int, tmp_path: Path) -> None:
    model = random_model(seed)
    root = Node(model)
    model.save(tmp_path / "model.h5")
    model.save(tmp_path / "model.keras")
    old = read_model_file(tmp_path / "model.h5")
    new = read_model_file(tmp_path / "model.keras")
    assert [(item.path, item.is_keras) for item in old.config.walk()] == [
        (item.path, item.is_keras) for item in new.config.walk()
    ]
    assert old.keras_version == new.keras_version == keras.__version__
    for file in (old, new):
        # A layer in two models is stored with both of them.
        values = {variable.variable.path: value for variable, value in file.weights.values(root)}
        assert len(values) == len({weight.path for weight in model.weights})
        for weight in model.weights:
            np.testing.assert_array_equal(values[weight.path], np.asarray(weight), strict=True)


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_weights_alone_are_read(seed: int, tmp_path: Path) -> None:
    model = random_model(seed)
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    weights = read_weights_file(path)
    assert weights.is_legacy
    for variable, value in weights.values(Node(model)):
        np.testing.assert_array_equal(value, variable.value, strict=True)
    with pytest.raises(FormatError, match="holds weights only, but no description of the model"):
        read_model_file(path)


def test_long_lists_of_names_are_spread_over_attributes(tmp_path: Path) -> None:
    keras.utils.clear_session()
    name = "a_name_that_makes_the_attribute_long_" + "x" * 200
    model = keras.Sequential(
        [layers.Input((2,)), *(layers.Dense(2, name=f"{name}_{i}") for i in range(300))]
    )
    randomize(model, 0)
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
        assert "layer_names" not in file.attrs
        assert "layer_names1" in file.attrs
    values = list(read_weights_file(path).values(Node(model)))
    assert len(values) == 600
    for variable, value in values:
        np.testing.assert_array_equal(value, variable.value, strict=True)


def test_frozen_layers_keep_keras_order() -> None:
    keras.utils.clear_session()
    inner = keras.Sequential(
        [
            layers.Input((3,)),
            layers.BatchNormalization(),
            layers.Dense(2),
            layers.BatchNormalization(),
        ]
    )
    for trainable in ([True, True, True], [False, True, True], [True, False, False]):
        for layer, value in zip(inner.layers, trainable, strict=True):
            layer.trainable = value
        expected = inner.trainable_weights + inner.non_trainable_weights
        order = [variable.variable for variable in legacy_order(Node(inner))]
        assert [id(variable) for variable in order] == [id(variable) for variable in expected]
    inner.trainable = False
    order = [variable.variable.path for variable in legacy_order(Node(inner))]
    assert order == [variable.path for variable in inner.weights]


def two_layers(tmp_path: Path) -> tuple[keras.Model, Path]:
    keras.utils.clear_session()
    model = keras.Sequential(
        [layers.Input((3,)), layers.Dense(4, name="a"), layers.Dense(2, name="b")]
    )
    path = tmp_path / "model.h5"
    model.save(path)
    return model, path


def expect_problems(model: keras.Model, path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        list(read_model_file(path).weights.values(Node(model)))
    return str(caught.value).replace(str(path), "FILE")


def test_shapes_that_do_not_fit_are_listed_at_once(tmp_path: Path) -> None:
    _, path = two_layers(tmp_path)
    keras.utils.clear_session()
    other = keras.Sequential([layers.Input((3,)), layers.Dense(5), layers.Dense(2, use_bias=False)])
    assert (
        expect_problems(other, path)
        == """\
FILE: 4 weights that the model expects and the file do not fit
    dense: kernel has shape (3, 5), but a/sequential/a/kernel has shape (3, 4)
    dense: bias has shape (5,), but a/sequential/a/bias has shape (4,)
    dense_1: has 1 weights, but the file has 2 for b
    dense_1: kernel has shape (5, 2), but b/sequential/b/kernel has shape (4, 2)
  Load weights into the model that they were saved from."""
    )


def test_layers_that_are_missing_are_named(tmp_path: Path) -> None:
    _, path = two_layers(tmp_path)
    keras.utils.clear_session()
    other = keras.Sequential(
        [layers.Input((3,)), layers.Dense(4, name="a"), layers.Dense(2, name="b")]
    )
    other.add(layers.Dense(1, name="c"))
    message = expect_problems(other, path)
    assert "the model itself: has 3 layers with weights, but the file has 2" in message
    assert "c: kernel of shape (2, 1) is missing" in message


def test_names_without_data_are_an_error(tmp_path: Path) -> None:
    model, path = two_layers(tmp_path)
    with h5py.File(path, "a") as file:
        del file["model_weights/a/sequential/a/kernel"]
    assert (
        "/model_weights/a lists the weight 'sequential/a/kernel', but does not hold it"
        in expect_problems(model, path)
    )
    with h5py.File(path, "a") as file:
        del file["model_weights/b"]
        del file["model_weights"].attrs["layer_names"]
        file["model_weights"].attrs["layer_names"] = ["b"]
    assert "lists the layer 'b', but has no group of that name" in expect_problems(model, path)


def test_other_backends_are_refused(tmp_path: Path) -> None:
    model, path = two_layers(tmp_path)
    with h5py.File(path, "a") as file:
        file["model_weights"].attrs["backend"] = "theano"
    assert "was written by Keras on theano, which stores kernels in another way" in expect_problems(
        model, path
    )


def test_keras_1_is_refused(tmp_path: Path) -> None:
    model, path = two_layers(tmp_path)
    with h5py.File(path, "a") as file:
        file.attrs["keras_version"] = "1.2.2"
    assert "was written by Keras 1.2.2, but versions from 2 on are read" in expect_problems(
        model, path
    )
