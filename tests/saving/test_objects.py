"""Objects as plain data: written as Keras writes them, read as it means them, nothing ever run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError
from kerac.saving import deserialize_keras_object, serialize_keras_object

MADE: dict[str, Callable[[Any], Any]] = {
    "layer": lambda k: k.layers.Dense(3, activation="relu", name="d"),
    "initializer": lambda k: k.initializers.HeNormal(seed=3),
    "regularizer": lambda k: k.regularizers.L1L2(0.1, 0.2),
    "constraint": lambda k: k.constraints.MaxNorm(2.0),
    "loss": lambda k: k.losses.BinaryCrossentropy(from_logits=True, name="loss"),
    "metric": lambda k: k.metrics.TopKCategoricalAccuracy(3, name="top"),
    "optimizer": lambda k: k.optimizers.Adam(0.01, name="adam"),
    "schedule": lambda k: k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5),
    "seeds": lambda k: k.random.SeedGenerator(3, name="seeds"),
    "structure": lambda k: {"a": [1, 2.5, "x", None, True], "b": (k.initializers.Zeros(), 1)},
    "array": lambda k: np.arange(6, dtype="int32").reshape(2, 3),
    "number": lambda k: np.float32(0.5),
    "slice": lambda k: slice(1, None, 2),
    "bytes": lambda k: b"text",
}


@pytest.mark.parametrize("name", MADE)
def test_there_and_back(name: str) -> None:
    ours, theirs = MADE[name](kerac), MADE[name](keras)
    data = serialize_keras_object(ours)
    written = keras.saving.serialize_keras_object(theirs)
    for described in (data, written):
        again = serialize_keras_object(deserialize_keras_object(described))
        assert _lists(again) == _lists(data)
    if name != "layer":  # Keras's version decides on arguments that are rarely written
        keras.saving.deserialize_keras_object(data)


def _lists(x: Any) -> Any:
    """Tuples come back as lists."""
    if isinstance(x, dict):
        return {key: _lists(item) for key, item in x.items()}
    return [_lists(item) for item in x] if isinstance(x, list | tuple) else x


def test_a_model_is_built_and_compiled() -> None:
    for library in (kerac, keras):
        model = library.Sequential([library.Input((4,)), library.layers.Dense(2)])
        model.compile("sgd", "mse")
        data = library.saving.serialize_keras_object(model)
        again = deserialize_keras_object(data)
        assert [w.shape for w in again.weights] == [(4, 2), (2,)]
        assert again.loss == "mse"
        assert type(again.optimizer).__name__ == "SGD"


class Settings:
    """A class with a config that is nothing else."""

    def __init__(self, size: int) -> None:
        self.size = size

    def get_config(self) -> dict[str, Any]:
        return {"size": self.size}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class Doubled(kerac.Layer):
    factor: float = 2.0

    def call(self, x: Any) -> Any:
        return x * self.factor


def test_classes_of_a_user() -> None:
    for made in (Settings(3), Doubled(factor=4.0, name="d")):
        cls = type(made)
        data = serialize_keras_object(made)
        assert data["module"] == cls.__module__
        with pytest.raises(CompileError):
            deserialize_keras_object(data)
        again = deserialize_keras_object(data, custom_objects={cls.__name__: cls})
        assert again.get_config() == made.get_config()
        assert type(again) is cls
    with kerac.utils.custom_object_scope({"Settings": Settings}):
        assert deserialize_keras_object(serialize_keras_object([Settings(4)]))[0].size == 4


def test_functions() -> None:
    data = serialize_keras_object(double)
    assert data == keras.saving.serialize_keras_object(double)
    assert deserialize_keras_object(data, custom_objects={"double": double}) is double
    relu = keras.saving.serialize_keras_object(keras.activations.relu)
    assert deserialize_keras_object(relu) is kerac.activations.get("relu")
    with pytest.raises(CompileError, match="there is no function 'double'"):
        deserialize_keras_object(data)


def double(x: Any) -> Any:
    return 2 * x


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"class_name": "__lambda__", "config": {"value": ["4wEA", None, None]}}, "never run"),
        ({"class_name": "system", "module": "os", "config": {"command": "true"}}, "'os.system'"),
        ({"class_name": "function", "module": "os", "config": "remove"}, "no function 'remove'"),
        ({"class_name": "Popen", "module": None, "config": {}}, "'Popen'"),
        (object(), "does not describe an object"),
    ],
)
def test_what_is_not_known_is_refused(data: Any, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        deserialize_keras_object(data)


def test_what_cannot_be_written() -> None:
    with pytest.raises(CompileError, match="only functions with names"):
        serialize_keras_object(lambda x: x)
    with pytest.raises(CompileError, match="has no get_config"):
        serialize_keras_object(object())
