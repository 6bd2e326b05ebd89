"""Paths in model.weights.h5: random trees of layers against what real Keras writes and loads."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from kerac.ir.errors import FormatError
from kerac.saving.hdf5 import read_tree
from kerac.saving.layout import SavedNode, keras_layout, match_variables
from kerac.saving.model_file import read_weights_file
from kerac.saving.weights import SavedVariable
from kerac.saving.write import write_weights
from tests.saving.models import Node, Variable, random_model, randomize


def groups_in(path: Path) -> dict[str, str]:
    """Every group `vars` in a file with the name it carries."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item.attrs["name"]}) if name.split("/")[-1] == "vars" else None
            )
        )
    return found


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_those_that_keras_writes(seed: int, tmp_path: Path) -> None:
    model = random_model(seed)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    layout = keras_layout(Node(model))
    assert {group.path: group.node.name for group in layout} == groups_in(path)
    matches = match_variables(Node(model), read_tree(path), "file")
    assert len(matches) == len(model.weights)
    for variable, dataset in matches:
        np.testing.assert_array_equal(dataset.read(), variable.value, strict=True)


@pytest.mark.parametrize("seed", range(20, 30))
def test_keras_loads_what_is_written(seed: int, tmp_path: Path) -> None:
    model = random_model(seed)
    weights = model.get_weights()
    path = tmp_path / "model.weights.h5"
    write_weights(path, Node(model), lambda variable: variable.value + 1)
    model.load_weights(path)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before + 1, strict=True)


def small_model() -> keras.Model:
    keras.utils.clear_session()
    x = layers.Input((6, 4))
    y = layers.Conv1D(4, 3, padding="same")(x)
    y = keras.Sequential([layers.Dense(4), layers.Dense(4)], name="inner")(y)
    y = layers.Conv1D(4, 3, padding="same")(y)
    model = keras.Model(x, layers.LSTM(3)(y))
    randomize(model, 0)
    return model


# Where TensorFlow kept the groups of small_model. In 2.12 and 2.13 a layer with weights counted
# twice.
OLD = "_layer_checkpoint_dependencies"
TENSORFLOW_2_15 = {
    f"{OLD}/conv1d": 0,
    f"{OLD}/sequential/{OLD}/dense": 2,
    f"{OLD}/sequential/{OLD}/dense_1": 4,
    f"{OLD}/conv1d_1": 6,
    f"{OLD}/lstm/cell": 8,
}
TENSORFLOW_2_13 = {
    f"{OLD}/conv1d": 0,
    f"{OLD}/sequential/{OLD}/dense": 2,
    f"{OLD}/sequential/{OLD}/dense_2": 4,
    f"{OLD}/conv1d_2": 6,
    f"{OLD}/lstm/cell": 8,
}
WINDOWS = {path.replace("/", "\\"): first for path, first in TENSORFLOW_2_13.items()}


@pytest.mark.parametrize("groups", [TENSORFLOW_2_15, TENSORFLOW_2_13, WINDOWS])
def test_files_of_tensorflow_are_read(groups: dict[str, int], tmp_path: Path) -> None:
    model = small_model()
    weights = model.get_weights()
    path = tmp_path / "old.weights.h5"
    with h5py.File(path, "w") as file:
        for group, first in groups.items():
            for index in range(3 if "lstm" in group else 2):
                file[f"{group}/vars/{index}"] = weights[first + index]
    values = list(read_weights_file(path).values(Node(model)))
    assert len(values) == len(weights)
    for variable, value in values:
        np.testing.assert_array_equal(value, variable.value, strict=True)


def expect_problems(root: SavedNode, path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        list(read_weights_file(path).values(root))
    return str(caught.value).replace(str(path), "FILE")


def test_all_weights_that_do_not_fit_are_listed_at_once(tmp_path: Path) -> None:
    model = small_model()
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        del file["layers/conv1d/vars/0"]
        file["layers/conv1d/vars/0"] = np.zeros((3, 4, 5), "f4")
        del file["layers/lstm/cell/vars/2"]
        del file["layers/sequential/layers/dense_1/vars/1"]
        file["layers/sequential/layers/dense_1/vars/1"] = np.zeros(4, "i4")
        file["layers/sequential/layers/dense/vars/2"] = np.zeros(4, "f4")
        file["layers/dense_7/vars/0"] = np.zeros(4, "f4")
    assert (
        expect_problems(Node(model), path)
        == """\
FILE: 4 weights that the model expects and the file do not fit
    conv1d: kernel has shape (3, 4, 4), but layers/conv1d/vars/0 has shape (3, 4, 5)
    inner/dense: has 2 weights, but the file has 3 in layers/sequential/layers/dense/vars
    inner/dense_1: bias is float32, but layers/sequential/layers/dense_1/vars/1 is int32
    lstm/lstm_cell: bias of shape (12,) is missing; it should be layers/lstm/cell/vars/2
    nothing in the model takes these: layers/dense_7/vars
  Load weights into the model that they were saved from."""
    )


def test_many_problems_are_cut_short(tmp_path: Path) -> None:
    keras.utils.clear_session()
    model = keras.Sequential([layers.Input((2,)), *(layers.Dense(2) for _ in range(40))])
    path = tmp_path / "model.weights.h5"
    keras.Sequential([layers.Input((2,)), layers.Dense(2)]).save_weights(path)
    message = expect_problems(Node(model), path)
    assert message.startswith("FILE: 78 weights that the model expects and the file do not fit\n")
    assert "and 48 more" in message


class Fixed(Variable):
    """A variable of another dtype than the Keras one."""

    dtype = "float16"


def test_values_come_in_the_dtype_of_the_variable(tmp_path: Path) -> None:
    class Half(Node):
        variables = [Fixed(keras.Variable(np.ones((2, 3), "f4"), name="kernel"))]  # noqa: RUF012
        children = {}  # noqa: RUF012

    path = tmp_path / "x.weights.h5"
    with h5py.File(path, "w") as file:
        file["vars/0"] = np.full((2, 3), 0.1, ">f8")
    [(variable, value)] = read_weights_file(path).values(Half(keras.layers.Dense(3)))
    assert isinstance(variable, Fixed)
    np.testing.assert_array_equal(value, np.full((2, 3), 0.1, "f2"), strict=True)


def test_integers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    layer = layers.Normalization()
    layer.build((None, 2))
    path = tmp_path / "x.weights.h5"
    with h5py.File(path, "w") as file:
        file["vars/0"] = file["vars/1"] = np.zeros(2, "f4")
        file["vars/2"] = np.int64(2**40)
    root = Node(layer)
    with pytest.raises(FormatError, match="/vars/2 holds integers that do not fit into int32"):
        list(read_weights_file(path).values(root))


def variables_of(root: SavedNode) -> list[SavedVariable]:
    return [variable for group in keras_layout(root) for variable in group.variables]


def test_a_shared_layer_is_stored_once() -> None:
    keras.utils.clear_session()
    x = layers.Input((4,))
    shared = layers.Dense(4)
    inner = keras.Sequential([layers.Input((4,)), shared])
    model = keras.Model(x, shared(inner(x)))
    paths = [group.path for group in keras_layout(Node(model))]
    assert paths.count("layers/sequential/layers/dense/vars") == 1
    assert "layers/dense/vars" not in paths
    assert len(variables_of(Node(model))) == 2
