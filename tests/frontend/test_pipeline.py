"""`Pipeline`, layers as configs, and models made again."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError
from tests.frontend.checking import check_layer, check_model, made, random_arrays


def test_pipeline() -> None:
    check_layer(
        lambda layers: layers.Pipeline(
            [layers.Rescaling(0.5), layers.CenterCrop(3, 3), layers.Dense(3)], name="pipeline"
        ),
        (2, 4, 4, 3),
    )


def test_a_pipeline_passes_masks_on() -> None:
    def make(library: ModuleType) -> Any:
        layers = library.layers
        words = library.Input((6,), dtype="int32", name="words")
        inner = [layers.Embedding(5, 4, mask_zero=True), layers.LSTM(3, return_sequences=True)]
        x = layers.Pipeline([*inner, layers.Dense(2)])(words)
        return library.Model(words, layers.GlobalAveragePooling1D()(x))

    check_model(make, random_arrays([(3, 6)], "int32", high=5))


def test_a_pipeline_prepares_arrays_for_training() -> None:
    images = random_arrays([(4, 8, 8, 3)])[0]
    layer = kerac.layers.Pipeline([kerac.layers.RandomInvert(1.0, (-1.0, 1.0))])
    assert np.abs(np.asarray(layer(images)) - images).max() > 0
    np.testing.assert_array_equal(layer(images, training=False), images)


def test_a_pipeline_in_files(tmp_path: Path) -> None:
    def make(library: ModuleType) -> Any:
        inner = [library.layers.Rescaling(2.0), library.layers.Dense(3), library.layers.Dense(2)]
        image = library.Input((4,), name="x")
        return library.Model(image, library.layers.Pipeline(inner)(image))

    theirs, ours = made(make)
    ours.set_weights(theirs.get_weights())
    x = random_arrays([(3, 4)])[0]
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    for library, name in ((kerac, "theirs.keras"), (keras, "ours.keras")):
        again = library.models.load_model(tmp_path / name)
        np.testing.assert_allclose(np.asarray(again(x)), np.asarray(theirs(x)), atol=1e-6)


def test_layers_as_configs() -> None:
    layer = kerac.layers.Conv2D(3, 2, activation="relu", kernel_regularizer="l2")
    written = json.loads(json.dumps(kerac.layers.serialize(layer)))
    assert kerac.layers.deserialize(written).get_config() == layer.get_config()
    assert keras.layers.deserialize(written).filters == 3
    theirs = json.loads(json.dumps(keras.layers.serialize(keras.layers.Dense(4, name="dense"))))
    assert kerac.layers.deserialize(theirs).units == 4

    class Twice(kerac.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs + inputs

    written = kerac.layers.serialize(Twice())
    assert isinstance(kerac.layers.deserialize(written, {"Twice": Twice}), Twice)


def functional(library: ModuleType) -> Any:
    layers = library.layers
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
    shared = layers.Dense(3, name="shared")
    inner = library.Sequential([library.Input((3,)), layers.Dense(2)], name="inner")
    x = shared(a) * 2.0 + shared(b)
    return library.Model({"a": a, "b": b}, [inner(x), x], name="model")


def sequential(library: ModuleType) -> Any:
    layers = library.layers
    return library.Sequential([library.Input((4,)), layers.Dense(3), layers.Dense(2)], name="model")


@pytest.mark.parametrize("make", [functional, sequential])
@pytest.mark.parametrize("recursive", [False, True])
def test_clones(make: Any, recursive: bool) -> None:
    theirs, ours = made(make)
    ours.compile("sgd", "mse")
    clone = kerac.models.clone_model(ours, recursive=recursive)
    wanted = keras.models.clone_model(theirs, recursive=recursive)
    assert [w.shape for w in clone.weights] == [tuple(w.shape) for w in wanted.weights]
    assert clone.compiled
    assert not set(map(id, clone.weights)) & set(map(id, ours.weights))
    weights = zip(clone.get_weights(), ours.get_weights(), strict=True)
    assert any(np.any(new != old) for new, old in weights)
    clone.set_weights(ours.get_weights())
    arrays = random_arrays([(3, 4)] * len(ours.inputs))
    x = arrays[0] if len(arrays) == 1 else dict(zip("ab", arrays, strict=True))
    for got, expected in zip(clone.predict(x), ours.predict(x), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_clones_by_functions() -> None:
    def clone(library: ModuleType) -> Any:
        def wider(layer: Any) -> Any:
            config = layer.get_config()
            if "units" in config:
                config["units"] *= 2
            return type(layer).from_config(config)

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            found = layer(*args, **kwargs)
            is_dense = isinstance(layer, library.layers.Dense)
            return library.layers.ReLU()(found) if is_dense else found

        x = library.Input((4,), name="x")
        model = library.Model(x, library.layers.Dense(3)(library.layers.Dense(2)(x)), name="model")
        given = library.Input((7,), name="given")
        return library.models.clone_model(model, given, wider, call)

    check_model(clone, random_arrays([(3, 7)]))


def test_models_that_cannot_be_cloned() -> None:
    class Own(kerac.Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(CompileError, match="only functional and sequential models can be cloned"):
        kerac.models.clone_model(Own())
    model = sequential(kerac)
    with pytest.raises(CompileError, match="is sequential, but call_function is given"):
        kerac.models.clone_model(model, call_function=lambda layer, x: layer(x))
    with pytest.raises(CompileError, match="has one input, but input_tensors are 2 tensors"):
        kerac.models.clone_model(model, [kerac.Input((4,)), kerac.Input((4,))])
    with pytest.raises(CompileError, match="input_tensors are not symbolic tensors"):
        kerac.models.clone_model(model, np.ones((1, 4)))
