"""Training against Keras: the same weights and records from the same batches."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import ops
from kerac.ir.errors import CompileError

GENERATOR = np.random.default_rng(11)
X = GENERATOR.normal(size=(50, 6)).astype("float32")
LABELS = GENERATOR.integers(0, 3, 50)
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
Make = Callable[[ModuleType], Any]


def classifier(library: ModuleType) -> Any:
    layers = library.layers
    return library.Sequential(
        [
            library.Input((6,)),
            layers.Dense(8, activation="relu", kernel_regularizer="l2", activity_regularizer="l1"),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax", kernel_constraint="max_norm"),
        ]
    )


def two_outputs(library: ModuleType) -> Any:
    x = library.Input((6,), name="x")
    other = library.Input((2,), name="other")
    hidden = library.layers.Dense(5, activation="tanh")(x)
    both = library.layers.Concatenate()([hidden, other])
    first = library.layers.Dense(3, activation="softmax", name="kind")(both)
    second = library.layers.Dense(1, name="size")(both)
    return library.Model([x, other], [first, second])


def pair(make: Make) -> tuple[Any, Any]:
    """The same model in Keras and in kerac, with equal weights."""
    keras.utils.clear_session()
    kerac.utils.clear_session()
    theirs, ours = make(keras), make(kerac)
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def assert_same(theirs: Any, ours: Any, tolerance: float = 1e-4) -> None:
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        wanted = np.asarray(other)
        size = max(np.abs(wanted).max(), 1e-3)
        np.testing.assert_allclose(mine.numpy() / size, wanted / size, atol=tolerance, rtol=0)


def assert_same_history(theirs: Any, ours: Any) -> None:
    assert list(ours.history) == list(theirs.history)
    for name, values in theirs.history.items():
        np.testing.assert_allclose(ours.history[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"learning_rate": 0.01, "clipnorm": 0.5}),
    ("RMSprop", {"centered": True, "weight_decay": 0.01}),
    ("Adadelta", {"learning_rate": 1.0, "use_ema": True, "ema_overwrite_frequency": 3}),
]


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS)
def test_classifiers_follow_keras(name: str, arguments: dict[str, Any]) -> None:
    theirs, ours = pair(classifier)
    histories = []
    for library, model in ((keras, theirs), (kerac, ours)):
        optimizer = getattr(library.optimizers, name)(**arguments)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        histories.append(
            model.fit(X, LABELS, batch_size=16, epochs=12, shuffle=False, verbose=0,
                      validation_split=0.3)
        )  # fmt: skip
    assert_same(theirs, ours)
    assert_same_history(*histories)
    expected = theirs.evaluate(X, LABELS, verbose=0)
    assert ours.evaluate(X, LABELS, verbose=0) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)


def test_several_inputs_outputs_and_losses() -> None:
    theirs, ours = pair(two_outputs)
    other = GENERATOR.normal(size=(50, 2)).astype("float32")
    size = GENERATOR.normal(size=(50, 1))
    weights = GENERATOR.uniform(0, 2, 50)
    histories = []
    for model in (theirs, ours):
        model.compile(
            "adam",
            loss={"kind": "categorical_crossentropy", "size": "mse"},
            loss_weights={"kind": 0.3, "size": 2.0},
        )
        histories.append(
            model.fit({"x": X, "other": other}, [ONE_HOT, size], batch_size=20, epochs=3,
                      sample_weight=[weights, weights**2], shuffle=False, verbose=0)
        )  # fmt: skip
    assert_same(theirs, ours)
    assert_same_history(*histories)


def test_weights_of_classes_and_losses_that_are_functions() -> None:
    means = {keras: lambda x: keras.ops.mean(x, -1), kerac: lambda x: ops.reduce_mean(x, (1,))}
    theirs, ours = pair(classifier)
    histories = []
    for library, model in ((keras, theirs), (kerac, ours)):
        mean = means[library]
        model.compile("sgd", lambda y_true, y_pred, mean=mean: mean((y_true - y_pred) ** 2))
        histories.append(
            model.fit(X, ONE_HOT, epochs=3, class_weight={0: 3.0, 2: 0.5}, shuffle=False,
                      verbose=0)
        )  # fmt: skip
    assert_same(theirs, ours)
    assert_same_history(*histories)


def test_batches_one_by_one() -> None:
    theirs, ours = pair(classifier)
    for model in (theirs, ours):
        model.compile("adam", "sparse_categorical_crossentropy")
    for start in (0, 7, 20):
        batch = X[start : start + 9], LABELS[start : start + 9]
        expected = theirs.train_on_batch(*batch)
        assert ours.train_on_batch(*batch) == pytest.approx(float(expected), rel=1e-5)
    assert_same(theirs, ours)
    expected = theirs.test_on_batch(X, LABELS)
    assert ours.test_on_batch(X, LABELS) == pytest.approx(float(expected), rel=1e-5)


def test_frozen_layers_stay_and_models_made_of_trained_layers_train_on() -> None:
    theirs, ours = pair(classifier)
    for model in (theirs, ours):
        model.layers[0].trainable = False
        model.compile("adam", "sparse_categorical_crossentropy")
        before = model.layers[0].get_weights()
        model.fit(X, LABELS, epochs=2, shuffle=False, verbose=0)
        for old, new in zip(before, model.layers[0].get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        model.layers[0].trainable = True
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, LABELS, epochs=2, shuffle=False, verbose=0)
    assert_same(theirs, ours)


def test_a_seed_repeats_a_run_with_dropout() -> None:
    def run(seed: int) -> np.ndarray:
        kerac.utils.set_random_seed(seed)
        layers = [kerac.layers.Dense(8), kerac.layers.Dropout(0.5), kerac.layers.Dense(1)]
        model = kerac.Sequential([kerac.Input((6,)), *layers])
        model.compile("adam", "mse")
        model.fit(X, LABELS, epochs=3, verbose=0)
        output: np.ndarray = model.predict(X)
        return output

    np.testing.assert_array_equal(run(1), run(1))
    assert (run(1) != run(2)).any()


def test_a_model_without_an_input_is_built_by_its_first_batch() -> None:
    model = kerac.Sequential([kerac.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(X, LABELS, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert len(history.epoch) == 5


MISTAKES: list[tuple[Callable[[Any], Any], str]] = [
    (lambda m: m.fit(X, LABELS[:3], verbose=0), "the same number of samples"),
    (lambda m: m.fit(X[:, :2], LABELS, verbose=0), r"must have the shape \(None, 6\)"),
    (lambda m: m.fit(X, verbose=0), "'dense_1' has a loss, but y has no labels"),
    (lambda m: m.fit(X, {"other": LABELS}, verbose=0), "y names the output 'other'"),
    (lambda m: m.fit(X, [LABELS, LABELS], verbose=0), "y has 2 arrays, but the model has 1"),
    (lambda m: m.compile("adan", "mse"), "no optimizer 'adan'"),
    (lambda m: (m.compile("sgd", "mze"), m.fit(X, LABELS, verbose=0)), "no loss 'mze'"),
    (lambda m: (m.compile("sgd", ["mse", "mse"]), m.fit(X, LABELS)), "loss has 2 entries"),
    (lambda m: (m.compile("sgd", {"a": "mse"}), m.fit(X, LABELS)), "loss names the output 'a'"),
]


@pytest.mark.parametrize(("act", "message"), MISTAKES)
def test_mistakes_are_named(act: Callable[[Any], Any], message: str) -> None:
    kerac.utils.clear_session()
    model = classifier(kerac)
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(CompileError, match=message):
        act(model)


def test_a_model_must_be_compiled() -> None:
    with pytest.raises(CompileError, match="fit is called, but the model is not compiled"):
        classifier(kerac).fit(X, LABELS)


def test_a_loss_that_is_no_number_is_told() -> None:
    model = kerac.Sequential([kerac.Input((6,)), kerac.layers.Dense(1)])
    model.compile("sgd", "mse")
    broken = X.copy()
    broken[3, 2] = np.nan
    with pytest.warns(UserWarning, match="the loss is nan since epoch 1, batch 1:"):
        model.fit(broken, LABELS, verbose=0)
