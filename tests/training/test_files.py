"""Compiled models in files: training goes on where it stopped, in kerac and in Keras."""

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import ops
from tests.frontend.checking import random_arrays

(X,) = random_arrays([(8, 4)])
Y = np.eye(3, dtype="f4")[[0, 1, 2, 0, 1, 2, 0, 1]]


def network(library: ModuleType) -> Any:
    layers = library.layers
    x = library.Input((4,))
    y = layers.BatchNormalization()(layers.Dense(6, activation="tanh")(x))
    inner = library.Sequential([library.Input((6,)), layers.Dense(3)], name="inner")
    z = layers.Add()([inner(y), layers.Dense(3, name="other")(x)])
    return library.Model(x, layers.Softmax()(z))


def decaying(library: ModuleType) -> Any:
    return library.optimizers.schedules.ExponentialDecay(0.02, 2, 0.5)


OPTIMIZERS: dict[str, Callable[[ModuleType], Any]] = {
    "sgd": lambda library: "sgd",
    "momentum": lambda library: library.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda library: library.optimizers.Adam(0.01, amsgrad=True, clipnorm=1.0),
    "schedule": lambda library: library.optimizers.AdamW(decaying(library)),
    "average": lambda library: library.optimizers.RMSprop(use_ema=True, centered=True),
    "accumulating": lambda library: library.optimizers.Lion(gradient_accumulation_steps=2),
    "adafactor": lambda library: library.optimizers.Adafactor(),
    "scaled": lambda library: library.optimizers.LossScaleOptimizer(
        library.optimizers.Adam(0.01)
    ),
}
LOSSES: dict[str, Callable[[ModuleType], Any]] = {
    "name": lambda library: "categorical_crossentropy",
    "object": lambda library: library.losses.CategoricalCrossentropy(label_smoothing=0.1),
    "function": lambda library: library.losses.mean_squared_error,
    "list": lambda library: ["mae"],
}
WAYS = [(kerac, keras), (keras, kerac), (kerac, kerac)]
PAIRS = list(zip(OPTIMIZERS, [*LOSSES, *LOSSES], strict=True))


@pytest.mark.parametrize(
    ("source", "target", "optimizer", "loss"),
    [(*way, *pair) for way in WAYS for pair in (PAIRS if keras in way else PAIRS[2:3])],
)
def test_training_goes_on(
    source: ModuleType, target: ModuleType, optimizer: str, loss: str, tmp_path: Path
) -> None:
    first = network(source)
    first.compile(OPTIMIZERS[optimizer](source), LOSSES[loss](source))
    for _ in range(3):
        first.train_on_batch(X, Y)
    first.save(tmp_path / "m.keras")
    second = target.models.load_model(tmp_path / "m.keras")
    for _ in range(2):  # one step and one that reads the state of the first
        first.train_on_batch(X, Y)
        second.train_on_batch(X, Y)
    for mine, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("source", [kerac, keras], ids=["kerac", "keras"])
def test_a_model_that_took_no_step_is_compiled(source: ModuleType, tmp_path: Path) -> None:
    first = network(source)
    first.compile(source.optimizers.Adam(0.25), "mse", loss_weights=[2.0])
    first.save(tmp_path / "m.keras")
    again = kerac.models.load_model(tmp_path / "m.keras")
    assert again.compiled
    assert float(again.optimizer.learning_rate.numpy()) == 0.25
    again.train_on_batch(X, Y)
    assert not kerac.models.load_model(tmp_path / "m.keras", compile=False).compiled


@pytest.mark.parametrize(("source", "target"), WAYS[:2], ids=["to_keras", "from_keras"])
def test_metrics_are_recorded_on(source: ModuleType, target: ModuleType, tmp_path: Path) -> None:
    first = network(source)
    metrics = source.metrics
    ranked = metrics.TopKCategoricalAccuracy(k=2, name="ranked")
    first.compile("sgd", "mse", metrics=["accuracy", ranked], weighted_metrics=["mae"])
    first.save(tmp_path / "m.keras")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        second = target.models.load_model(tmp_path / "m.keras")
    wanted = first.evaluate(X, Y, verbose=0, return_dict=True)
    assert second.evaluate(X, Y, verbose=0, return_dict=True) == pytest.approx(wanted, abs=1e-5)
    assert {"accuracy", "ranked"} < set(wanted)


def edited(path: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """The archive with its compile config changed to what `edit` makes of it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["compile_config"] = edit(config["compile_config"])
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def class_of_author(name: str) -> dict[str, Any]:
    return {"module": None, "class_name": name, "config": {}, "registered_name": name}


FUNCTION = {"module": "builtins", "class_name": "function", "registered_name": "function"}
NOT_KNOWN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no object": (lambda config: [1], "an object is expected"),
    "function": (lambda config: config | {"loss": FUNCTION | {"config": "mine"}}, "mine"),
    "class": (lambda config: config | {"loss": class_of_author("Mine")}, "Mine is not one of"),
    "class like ours": (lambda config: config | {"optimizer": class_of_author("SGD")}, "SGD is"),
    "lambda": (
        lambda config: config | {"loss": {"class_name": "__lambda__", "config": {"value": "4w"}}},
        "Python code",
    ),
    "code": (
        lambda config: config | {"loss": {"module": "os", "class_name": "system", "config": {}}},
        "os.system is not one of Keras",
    ),
    "layer": (
        lambda config: config
        | {"loss": {"module": "keras.layers", "class_name": "Lambda", "config": {}}},
        "no loss 'Lambda'",
    ),
    "number": (lambda config: config | {"loss": 5}, "5 is no loss"),
    "name": (lambda config: config | {"optimizer": "mine"}, "no optimizer 'mine'"),
    "argument": (
        lambda config: config
        | {"optimizer": {"module": "keras", "class_name": "SGD", "config": {"power": 2}}},
        "power",
    ),
    "array": (
        lambda config: config
        | {"loss_weights": {"class_name": "__numpy__", "config": {"dtype": "object"}}},
        "dtype 'object'",
    ),
    "weights": (lambda config: config | {"loss_weights": ["much"]}, "much"),
    "steps": (lambda config: config | {"steps_per_execution": 0}, "positive integer"),
    "metric": (lambda config: config | {"metrics": ["mine"]}, "no metric 'mine'"),
}


@pytest.mark.parametrize(("edit", "message"), NOT_KNOWN.values(), ids=list(NOT_KNOWN))
def test_what_is_not_known_leaves_a_model_uncompiled(
    edit: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    first = network(kerac)
    first.compile("sgd", "mse")
    first.save(tmp_path / "m.keras")
    path = edited(tmp_path / "m.keras", edit)
    with pytest.warns(UserWarning, match=message) as caught:
        again = kerac.models.load_model(path)
    assert len(caught) == 1
    assert not again.compiled
    np.testing.assert_array_equal(again.predict(X), first.predict(X))


def test_state_of_another_optimizer_is_left_alone(tmp_path: Path) -> None:
    first = network(kerac)
    first.compile("adam", "mse")
    first.train_on_batch(X, Y)
    first.save(tmp_path / "m.keras")
    path = edited(tmp_path / "m.keras", lambda config: config | {"optimizer": "adagrad"})
    with pytest.warns(UserWarning, match="the optimizer begins anew"):
        again = kerac.models.load_model(path)
    assert int(again.optimizer.raw_iterations) == 0
    again.train_on_batch(X, Y)


def distance(y_true: Any, y_pred: Any) -> Any:
    return ops.reduce_mean(abs(y_true - y_pred), (1,))


def test_losses_given_in_code(tmp_path: Path) -> None:
    first = network(kerac)
    first.compile("sgd", distance)
    first.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="not compiled: there is no loss 'distance'"):
        kerac.models.load_model(tmp_path / "m.keras")
    again = kerac.models.load_model(tmp_path / "m.keras", custom_objects={"distance": distance})
    assert again.loss is distance
    assert again.train_on_batch(X, Y) == first.train_on_batch(X, Y)


def test_losses_without_a_name_cannot_be_saved(tmp_path: Path) -> None:
    first = network(kerac)
    first.compile("sgd", lambda y_true, y_pred: distance(y_true, y_pred))
    with pytest.warns(UserWarning, match="without its optimizer and losses"):
        first.save(tmp_path / "m.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not kerac.models.load_model(tmp_path / "m.keras").compiled


@pytest.mark.parametrize(("source", "target"), WAYS, ids=["to_keras", "from_keras", "ours"])
@pytest.mark.parametrize("optimizer", ["adam", "average"])
def test_files_of_weights_hold_the_optimizer(
    source: ModuleType, target: ModuleType, optimizer: str, tmp_path: Path
) -> None:
    first, second = network(source), network(target)
    for library, model in ((source, first), (target, second)):
        model.compile(OPTIMIZERS[optimizer](library), "mse")
    first.train_on_batch(X, Y)
    first.save_weights(tmp_path / "m.weights.h5")
    second.optimizer.build(second.trainable_variables)
    second.load_weights(tmp_path / "m.weights.h5")
    for model in (first, second):
        model.train_on_batch(X, Y)
    for mine, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("source", "target", "optimizer"),
    [(keras, kerac, "schedule"), (kerac, keras, "adam"), (kerac, kerac, "average")],
)
def test_files_in_hdf5_go_on(
    source: ModuleType, target: ModuleType, optimizer: str, tmp_path: Path
) -> None:
    first = network(source)
    first.compile(
        OPTIMIZERS[optimizer](source),
        source.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy", source.metrics.TopKCategoricalAccuracy(k=2, name="ranked")],
    )
    first.train_on_batch(X, Y)
    first.save(tmp_path / "m.h5")
    second = target.models.load_model(tmp_path / "m.h5")
    # Keras builds the optimizer of such a file for no weights, so that it cannot train on
    for _ in range(0 if target is keras else 2):
        wanted = first.train_on_batch(X, Y, return_dict=True)
        assert second.train_on_batch(X, Y, return_dict=True) == pytest.approx(wanted, rel=1e-4)
    # a bias that normalization takes away wanders, since its gradients are noise
    assert type(second.optimizer).__name__ == type(first.optimizer).__name__
    wanted = first.predict(X, verbose=0)
    np.testing.assert_allclose(second.predict(X, verbose=0), wanted, atol=1e-5)
