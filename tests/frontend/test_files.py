"""Models in files: what Keras wrote, what kerac writes, and what must be refused."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from benchmarks import models
from kerac.ir import CompileError, FormatError, UnsupportedError
from tests.compare import assert_close
from tests.frontend.checking import check_outputs, random_arrays, random_value
from tests.frontend.test_models import branches, nested, operators, several_results_inside


def words(library: ModuleType) -> Any:
    layers = library.layers
    x = library.Input((6,), dtype="int32", name="words")
    y = layers.Embedding(5, 4, mask_zero=True)(x)
    z = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Dropout(0.5)(y))
    pooled = layers.GlobalAveragePooling1D()(layers.Concatenate()([y, z]))
    return library.Model(x, layers.Dense(2)(pooled), name="words")


def picture(library: ModuleType) -> Any:
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, use_bias=False, kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.ReLU(max_value=6),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ],
        name="picture",
    )


NETWORKS: list[tuple[Any, list[Any]]] = [
    (branches, random_arrays([(3, 4), (3, 4)])),
    (nested, random_arrays([(3, 4)])),
    (operators, random_arrays([(3, 3, 4), (3, 3, 4)])),
    (several_results_inside, random_arrays([(3, 4)])),
    (words, random_arrays([(5, 6)], "int32", high=4)),
    (picture, random_arrays([(2, 8, 8, 3)])),
]
# JSON does not say that a layer stands at two places; archives do, but Keras cannot read them back.
NOT_SHARED = [(make, arrays) for make, arrays in NETWORKS if make is not nested]
WITHOUT_SHARED = pytest.mark.parametrize(
    ("make", "arrays"), NOT_SHARED, ids=[make.__name__ for make, _ in NOT_SHARED]
)
EVERY = pytest.mark.parametrize(("make", "arrays"), NETWORKS, ids=[m.__name__ for m, _ in NETWORKS])


def randomized(model: Any, seed: int = 0) -> Any:
    """A model of Keras with random weights."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(random_value(variable, generator))
    return model


@EVERY
def test_archive_of_keras(make: Any, arrays: list[Any], tmp_path: Path) -> None:
    theirs = randomized(make(keras))
    theirs.save(tmp_path / "m.keras")
    ours = kerac.models.load_model(tmp_path / "m.keras")
    check_outputs(theirs, ours, arrays)


@WITHOUT_SHARED
def test_archive_for_keras(make: Any, arrays: list[Any], tmp_path: Path) -> None:
    ours = make(kerac)
    theirs = randomized(make(keras))
    ours.set_weights(theirs.get_weights())
    ours.save(tmp_path / "m.keras")
    back = keras.models.load_model(tmp_path / "m.keras")
    check_outputs(back, ours, arrays)
    again = kerac.models.load_model(tmp_path / "m.keras")
    check_outputs(back, again, arrays)
    assert [v.path for v in again.weights] == [v.path for v in ours.weights]


def test_archive_with_models_at_two_places(tmp_path: Path) -> None:
    theirs = randomized(nested(keras))
    ours = nested(kerac)
    ours.set_weights(theirs.get_weights())
    ours.save(tmp_path / "m.keras")
    again = kerac.models.load_model(tmp_path / "m.keras")
    check_outputs(theirs, again, random_arrays([(3, 4)]))
    assert len(again.weights) == len(theirs.weights)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@EVERY
def test_legacy_file(make: Any, arrays: list[Any], tmp_path: Path) -> None:
    theirs = randomized(make(keras))
    theirs.save(tmp_path / "m.h5")
    ours = kerac.models.load_model(tmp_path / "m.h5")
    check_outputs(theirs, ours, arrays)


@WITHOUT_SHARED
def test_json_and_weights(make: Any, arrays: list[Any], tmp_path: Path) -> None:
    theirs = randomized(make(keras))
    ours = kerac.models.model_from_json(theirs.to_json())
    theirs.save_weights(tmp_path / "m.weights.h5")
    ours.load_weights(tmp_path / "m.weights.h5")
    check_outputs(theirs, ours, arrays)
    ours.save_weights(tmp_path / "ours.weights.h5")
    back = keras.models.model_from_json(ours.to_json())
    back.load_weights(tmp_path / "ours.weights.h5")
    check_outputs(back, ours, arrays)


@pytest.mark.parametrize("name", ["mlp", "mnist_cnn", "cifar_cnn"])
def test_networks(name: str, network_file: Callable[[str], Path]) -> None:
    path = network_file(name)
    sample = models.NETWORKS[name].sample(2)
    check_outputs(keras.models.load_model(path), kerac.models.load_model(path), [sample])


# Files of Keras 2


def test_keras_2_sequence() -> None:
    config = {
        "class_name": "Sequential",
        "keras_version": "2.3.1",
        "config": {
            "name": "sequential_1",
            "layers": [
                {
                    "class_name": "Embedding",
                    "config": {
                        "name": "embedding_1", "batch_input_shape": [None, 6], "trainable": True,
                        "dtype": "float32", "input_dim": 5, "output_dim": 4,
                        "embeddings_initializer": {
                            "class_name": "RandomUniform",
                            "config": {"minval": -0.05, "maxval": 0.05, "seed": None},
                        },
                        "embeddings_regularizer": None, "activity_regularizer": None,
                        "embeddings_constraint": None, "mask_zero": False, "input_length": 6,
                    },
                },
                {"class_name": "Flatten", "config": {"name": "f", "data_format": "channels_last"}},
                {
                    "class_name": "Dense",
                    "config": {
                        "name": "dense_1", "trainable": True, "units": 2, "activation": "softmax",
                        "use_bias": True, "kernel_initializer": {
                            "class_name": "VarianceScaling",
                            "config": {
                                "scale": 1.0, "mode": "fan_avg", "distribution": "uniform",
                                "seed": None,
                            },
                        },
                        "bias_initializer": {"class_name": "Zeros", "config": {}},
                        "kernel_regularizer": {
                            "class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01},
                        },
                        "bias_regularizer": None, "activity_regularizer": None,
                        "kernel_constraint": None, "bias_constraint": None,
                    },
                },
            ],
        },
    }  # fmt: skip
    model = kerac.models.model_from_json(json.dumps(config))
    assert model.output_shape == (None, 2)
    assert [layer.name for layer in model.layers] == ["embedding_1", "f", "dense_1"]
    assert model(np.zeros((3, 6), "int32")).shape == (3, 2)


def dense_of_keras_2(name: str, nodes: list[Any], units: int = 4) -> dict[str, Any]:
    return {"class_name": "Dense", "name": name, "inbound_nodes": nodes,
            "config": {"name": name, "units": units}}  # fmt: skip


def input_of_keras_2(name: str) -> dict[str, Any]:
    config = {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "name": name}
    return {"class_name": "InputLayer", "name": name, "inbound_nodes": [], "config": config}


@pytest.mark.parametrize("kind", ["Model", "Functional"])
def test_keras_2_counts_calls_of_models_inside_from_1(kind: str) -> None:
    inner = {
        "class_name": kind, "name": "inner", "config": {
            "name": "inner",
            "layers": [input_of_keras_2("a"), dense_of_keras_2("d", [[["a", 0, 0, {}]]])],
            "input_layers": [["a", 0, 0]], "output_layers": [["d", 0, 0]],
        },
        "inbound_nodes": [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]],
    }  # fmt: skip
    outer = {
        "class_name": kind, "config": {
            "name": "outer",
            "layers": [
                input_of_keras_2("x"), inner, dense_of_keras_2("e", [[["inner", 2, 0, {}]]], 3),
            ],
            "input_layers": [["x", 0, 0]], "output_layers": [["inner", 1, 0], ["e", 0, 0]],
        },
    }  # fmt: skip
    model = kerac.models.model_from_json(json.dumps(outer))
    text = str(model.graph)
    assert "inner_1: f32[N, 4] = inner(inner)" in text
    assert "e: f32[N, 3] = dense(inner_1, e_kernel, bias=e_bias)" in text
    assert "return inner, e" in text


# Refused


def changed(make: Any, path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """An archive whose config is edited."""
    import zipfile

    kerac.utils.clear_session()
    make(kerac).save(path / "whole.keras")
    result = path / "m.keras"
    with zipfile.ZipFile(path / "whole.keras") as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                edit(config)
                data = json.dumps(config).encode()
            new.writestr(name, data)
    return result


def test_all_unknown_layers_are_listed_at_once(tmp_path: Path) -> None:
    def edit(config: dict[str, Any]) -> None:
        layers = config["config"]["layers"]
        layers[1]["class_name"] = "Rescalin"
        layers[2]["class_name"], layers[2]["registered_name"] = "Mine", "mine>Mine"
        layers[4]["class_name"] = "Lambda"

    path = changed(picture, tmp_path, edit)
    with pytest.raises(UnsupportedError) as caught:
        kerac.models.load_model(path)
    text = str(caught.value)
    assert "uses 3 layers" in text
    assert "rescaling: Rescalin (nearest: Rescaling)" in text
    assert "conv2d: mine>Mine" in text
    assert "re_lu: Lambda" in text


def test_replacements_for_unknown_layers(tmp_path: Path) -> None:
    def edit(config: dict[str, Any]) -> None:
        layer = config["config"]["layers"][4]
        layer["class_name"], layer["module"], layer["registered_name"] = "Mine", "mine", "mine>Mine"

    path = changed(picture, tmp_path, edit)
    for name in ("Mine", "mine>Mine"):
        model = kerac.models.load_model(path, custom_objects={name: kerac.layers.ReLU})
        assert isinstance(model.layers[3], kerac.layers.ReLU)


def test_all_layers_of_quantized_dtypes_are_listed_at_once(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, dtype="int8_from_float32", name="a"),
            keras.layers.Dense(3, name="b"),
            keras.layers.Dense(3, dtype="int8_from_mixed_bfloat16", name="c"),
        ]
    )
    model.save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match=r"(?s)2 layers.*a: Quantized.*c: Quantized"):
        kerac.models.load_model(tmp_path / "m.keras")


@pytest.mark.parametrize(
    ("layer", "argument", "value", "message"),
    [
        (2, "filters", "a", "conv2d.*filters is 'a', but an integer is expected"),
        (2, "filters", 2**70, "weights that the model expects and the file do not fit"),
        (2, "color", 1, "conv2d.*no argument 'color'"),
        (7, "units", 4, "weights that the model expects and the file do not fit"),
        (7, "activation", "so", "dense.*no activation 'so'"),
        (7, "kernel_initializer", {"class_name": "Mine", "config": {}}, "no initializer 'Mine'"),
        (7, "kernel_regularizer", [1], "is no regularizer"),
    ],
)
def test_arguments_that_make_no_sense(
    layer: int, argument: str, value: Any, message: str, tmp_path: Path
) -> None:
    def edit(config: dict[str, Any]) -> None:
        config["config"]["layers"][layer]["config"][argument] = value

    path = changed(picture, tmp_path, edit)
    with pytest.raises(CompileError, match=message):
        kerac.models.load_model(path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c["config"].update(layers=5),
        lambda c: c["config"].update(layers=[5]),
        lambda c: c["config"].pop("layers"),
        lambda c: c.update(class_name="Dense"),
        lambda c: c.update(config=None),
    ],
)
def test_sequences_that_make_no_sense(edit: Any, tmp_path: Path) -> None:
    path = changed(picture, tmp_path, edit)
    with pytest.raises(CompileError):
        kerac.models.load_model(path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c["config"]["layers"][3]["inbound_nodes"].append({"args": [3], "kwargs": {}}),
        lambda c: c["config"].update(output_layers=[["nobody", 0, 0]]),
        lambda c: c["config"].update(output_layers=[["total", 7, 0]]),
        lambda c: c["config"].update(output_layers=[["total", 0, 9]]),
        lambda c: c["config"].update(output_layers=3),
        lambda c: c["config"].update(input_layers=[]),
        lambda c: c["config"]["layers"].reverse() or c["config"]["layers"].pop(),
        lambda c: c["config"]["layers"][0].update(name="y"),
        lambda c: c["config"].pop("layers"),
    ],
)
def test_calls_that_make_no_sense(edit: Any, tmp_path: Path) -> None:
    path = changed(branches, tmp_path, edit)
    with pytest.raises(CompileError):
        kerac.models.load_model(path)


def test_save_and_load_weights_need_weights(tmp_path: Path) -> None:
    model = kerac.Sequential([kerac.layers.Dense(3)], name="late")
    for call in (lambda: model.save(tmp_path / "m.keras"), lambda: model.load_weights("none.h5")):
        with pytest.raises(CompileError, match="late: is not built"):
            call()
    with pytest.raises(CompileError, match=r"must end in \.keras"):
        branches(kerac).save(tmp_path / "m.onnx")
    path = tmp_path / "m.keras"
    path.write_bytes(b"mine")
    with pytest.raises(CompileError, match="exists already"):
        branches(kerac).save(path, overwrite=False)
    assert path.read_bytes() == b"mine"


def test_weights_of_another_model_change_nothing(tmp_path: Path) -> None:
    picture(keras).save_weights(tmp_path / "m.weights.h5")
    model = branches(kerac)
    before = model.get_weights()
    with pytest.raises(FormatError, match="do not fit"):
        model.load_weights(tmp_path / "m.weights.h5")
    for one, other in zip(before, model.get_weights(), strict=True):
        assert_close(one, other)
