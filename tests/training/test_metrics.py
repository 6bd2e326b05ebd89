"""Metrics of compiled models against Keras: the same names, the same numbers."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import ops
from kerac.ir.errors import CompileError
from tests.training.test_fit import X, assert_same_history, pair, two_outputs

GENERATOR = np.random.default_rng(5)
CLASSES = 7
LABELS = GENERATOR.integers(0, CLASSES, 50)
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
BINARY = GENERATOR.integers(0, 2, 50)
IMAGES = GENERATOR.normal(size=(50, 8, 8, 2)).astype("float32")
OTHER = GENERATOR.normal(size=(50, 2)).astype("float32")
SIZES = GENERATOR.normal(size=(50, 1)).astype("float32")
WEIGHTS = GENERATOR.uniform(0, 2, 50)
Given = Callable[[ModuleType], Any]


def dense(units: int, activation: str) -> Callable[[ModuleType], Any]:
    def make(library: ModuleType) -> Any:
        layers = library.layers
        hidden = layers.Dense(9, activation="relu")
        return library.Sequential(
            [library.Input((6,)), hidden, layers.Dense(units, activation=activation)]
        )

    return make


def tokens(library: ModuleType) -> Any:
    layers = library.layers
    last = layers.Dense(CLASSES, activation="softmax")
    embedding = layers.Embedding(5, 4, mask_zero=True)
    return library.Sequential([library.Input((6,), dtype="int32"), embedding, last])


def convolution(library: ModuleType) -> Any:
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 8, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


CASES: dict[str, tuple[Any, Any, Any, str, Given]] = {
    "sparse": (
        dense(CLASSES, "softmax"), X, LABELS, "sparse_categorical_crossentropy",
        lambda k: ["accuracy", k.metrics.SparseTopKCategoricalAccuracy(k=3), "acc", "acc",
                   "sparse_categorical_crossentropy"],
    ),
    "column": (
        dense(CLASSES, "softmax"), X, LABELS[:, None], "sparse_categorical_crossentropy",
        lambda k: ["acc", k.metrics.SparseTopKCategoricalAccuracy(k=2, name="top")],
    ),
    "categorical": (
        dense(CLASSES, "softmax"), X, ONE_HOT, "categorical_crossentropy",
        lambda k: ["accuracy", k.metrics.TopKCategoricalAccuracy(k=2), k.metrics.AUC(),
                   k.metrics.AUC(curve="PR", num_thresholds=50, multi_label=True),
                   k.metrics.F1Score(name="scores"), k.metrics.MeanSquaredError, "mae"],
    ),
    "binary": (
        dense(1, "sigmoid"), X, BINARY[:, None], "binary_crossentropy",
        lambda k: ["accuracy", "AUC", k.metrics.Precision(), k.metrics.Recall(name="found"),
                   k.metrics.BinaryAccuracy(threshold=0.6, name="strict"),
                   k.metrics.FalseNegatives(), "binary_crossentropy"],
    ),
    "images": (
        convolution, IMAGES, LABELS, "sparse_categorical_crossentropy",
        lambda k: {"any": ["accuracy"], "name": k.metrics.SparseTopKCategoricalAccuracy(k=2)},
    ),
    "number": (
        dense(1, "linear"), X, SIZES, "mse",
        lambda k: ["mae", "mse", k.metrics.RootMeanSquaredError(), k.metrics.R2Score(),
                   k.losses.mean_absolute_error],
    ),
}  # fmt: skip


SLOW = ("categorical", "images")
SOME = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else (), id=name) for name in CASES
]


@pytest.mark.parametrize("case", SOME)
def test_metrics_follow_keras(case: str) -> None:
    make, x, y, loss, metrics = CASES[case]
    theirs, ours = pair(make)
    histories = []
    for library, model in ((keras, theirs), (kerac, ours)):
        model.compile(
            "sgd", loss, metrics=metrics(library),
            weighted_metrics=[] if "images" in case else metrics(library)[:2],
        )  # fmt: skip
        histories.append(
            model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0,
                      sample_weight=WEIGHTS, validation_split=0.3)
        )  # fmt: skip
    assert_same_history(*histories)
    wanted = theirs.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    found = ours.evaluate(x, y, batch_size=16, verbose=2, return_dict=True)
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


def test_masks_leave_elements_out() -> None:
    theirs, ours = pair(tokens)
    generator = np.random.default_rng(3)
    x, labels = generator.integers(0, 5, (50, 6)), generator.integers(0, CLASSES, (50, 6))
    weights = generator.uniform(0, 2, (50, 6))
    results = []
    for model in (theirs, ours):
        model.compile(
            "sgd", "sparse_categorical_crossentropy", metrics=["acc"], weighted_metrics=["acc"]
        )
        results.append(
            model.evaluate(x, labels, sample_weight=weights, verbose=0, return_dict=True)
        )
    assert results[1] == pytest.approx(results[0], rel=1e-5)
    right = (ours.predict(x).argmax(-1) == labels)[x != 0]
    # the jax backend of Keras forgets masks while it trains
    trained = ours.train_on_batch(x, labels, return_dict=True)
    assert trained["acc"] == pytest.approx(right.mean(), rel=1e-5)


GIVEN: dict[str, Given] = {
    "names": lambda k: {"size": ["mae", k.metrics.MeanSquaredError()], "kind": "accuracy"},
    "one": lambda k: {"kind": [k.metrics.CategoricalAccuracy(name="acc"), k.metrics.AUC()]},
    "lists": lambda k: [["acc"], ["mae", "mse"]],
    "mixed": lambda k: ["accuracy", ["mae"]],
    "none": lambda k: [None, "mae"],
}


@pytest.mark.parametrize("given", GIVEN)
def test_metrics_of_several_outputs(given: str) -> None:
    theirs, ours = pair(two_outputs)
    x, y = {"x": X, "other": OTHER}, [np.eye(3, dtype="float32")[LABELS % 3], SIZES]
    histories, lists = [], []
    for library, model in ((keras, theirs), (kerac, ours)):
        metrics = GIVEN[given](library)
        model.compile(
            "adam", ["categorical_crossentropy", "mse"], metrics=metrics,
            weighted_metrics=GIVEN[given](library),
        )  # fmt: skip
        weights = [WEIGHTS, WEIGHTS**2]
        histories.append(
            model.fit(x, y, batch_size=20, epochs=2, sample_weight=weights, shuffle=False,
                      verbose=0, validation_data=(x, y))
        )  # fmt: skip
        lists.append(model.evaluate(x, y, verbose=0))
    assert_same_history(*histories)
    np.testing.assert_allclose(lists[1], lists[0], rtol=1e-5, atol=1e-6)


def test_functions_are_metrics() -> None:
    theirs, ours = pair(dense(1, "linear"))
    means = {keras: lambda x: keras.ops.mean(x, -1), kerac: lambda x: ops.reduce_mean(x, (1,))}
    results = []
    for library, model in ((keras, theirs), (kerac, ours)):

        def cubic_error(y_true: Any, y_pred: Any, mean: Any = means[library]) -> Any:
            difference = y_true - y_pred
            return mean(difference * difference * difference)

        huber = library.losses.Huber()
        model.compile("sgd", "mse", metrics=[cubic_error, huber.__class__(name="near")])
        results.append(model.train_on_batch(X, SIZES, return_dict=True))
    assert list(results[1]) == list(results[0])
    assert results[1] == pytest.approx({k: float(v) for k, v in results[0].items()}, rel=1e-5)


def test_records_go_by_either_name_and_begin_anew_each_epoch() -> None:
    _, ours = pair(dense(CLASSES, "softmax"))
    ours.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ours.optimizer.learning_rate = 0.0
    history = ours.fit(X, LABELS, epochs=3, verbose=0, validation_data=(X, LABELS)).history
    assert history["acc"] == history["accuracy"] == history["val_acc"]
    assert len(set(history["accuracy"])) == 1
    right = ours.predict(X).argmax(1) == LABELS
    assert ours.evaluate(X, LABELS, verbose=0)[1] == pytest.approx(right.mean())


MISTAKES: list[tuple[Any, str]] = [
    (["acuracy", "mae"], "output 'kind': there is no metric 'acuracy'"),
    ({"kind": [], "size": ["mea"]}, "output 'size': there is no metric 'mea'"),
    ({"sise": ["mae"]}, "metrics names the output 'sise', but the model has kind, size"),
    (["mae", "mae", "mae"], "metrics has 3 entries, but the model has 2 outputs"),
    ("accuracy", "metrics is 'accuracy', but a list or a dictionary is expected"),
    ([[kerac.metrics.Sum()], []], "output 'kind': .* does not compare labels with predictions"),
]


@pytest.mark.parametrize(("metrics", "message"), MISTAKES)
def test_mistakes_are_named(metrics: Any, message: str) -> None:
    kerac.utils.clear_session()
    model = two_outputs(kerac)

    def act() -> None:
        model.compile("sgd", ["categorical_crossentropy", "mse"], metrics=metrics)
        model.fit([X, OTHER], [ONE_HOT[:, :3], SIZES], verbose=0)

    with pytest.raises(CompileError, match=message):
        act()
