"""What `fit`, `evaluate` and `predict` do around steps."""

import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac import layers
from kerac.ir.errors import CompileError

GENERATOR = np.random.default_rng(5)
X = GENERATOR.normal(size=(45, 6)).astype("float32")
LABELS = GENERATOR.integers(0, 3, 45).astype("int32")


def classifier(steps: int = 1, library: Any = kerac, **arguments: Any) -> Any:
    library.utils.set_random_seed(4)
    model = library.Sequential(
        [
            library.Input((6,)),
            library.layers.Dense(5, activation="relu"),
            library.layers.Dropout(0.3),
            library.layers.Dense(3, activation="softmax", name="kind"),
        ]
    )
    given = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | arguments
    model.compile("adam", steps_per_execution=steps, **given)
    return model


def recorder(library: Any) -> tuple[list[Any], Any]:
    """What the hooks of a callback are told."""
    heard: list[Any] = []

    class Recorder(library.callbacks.Callback):  # type: ignore[misc,name-defined]
        pass

    def hook(name: str) -> Any:
        def tell(self: Any, *arguments: Any, logs: Any = None) -> None:
            numbers = [a for a in arguments if isinstance(a, int)]
            logs = arguments[-1] if isinstance(arguments[-1], dict) else logs
            heard.append((name, *numbers, sorted(logs or {})))

        return tell

    phases = [f"{p}{b}" for p in ("train", "test", "predict") for b in ("", "_batch")]
    for name in ("epoch", *phases):
        for when in ("begin", "end"):
            setattr(Recorder, f"on_{name}_{when}", hook(f"on_{name}_{when}"))
    return heard, Recorder()


@pytest.mark.parametrize(("steps", "shuffle"), [(2, True), (4, "batch"), (100, False)])
def test_several_steps_at_once_are_the_same_steps(steps: int, shuffle: Any) -> None:
    found = []
    for count in (1, steps):
        model = classifier(count)
        history = model.fit(X, LABELS, 8, epochs=2, verbose=0, shuffle=shuffle)
        evaluated = model.evaluate(X, LABELS, batch_size=8, verbose=0)
        found.append([*model.get_weights(), *history.history.values(), evaluated])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("steps", [1, 3])
def test_callbacks_hear_what_those_of_keras_hear(steps: int) -> None:
    told = []
    for library in (keras, kerac):
        model = classifier(steps, library)
        heard, callback = recorder(library)
        data = {"validation_data": (X[:24], LABELS[:24]), "callbacks": [callback], "verbose": 0}
        model.fit(X, LABELS, 8, epochs=2, **data)
        model.evaluate(X, LABELS, batch_size=8, verbose=0, callbacks=[callback])
        if steps == 1:
            model.predict(X, batch_size=16, verbose=0, callbacks=[callback])
        told.append(heard)
    theirs, ours = told
    assert ours == theirs


def test_hooks_that_want_logs_get_them() -> None:
    heard = []
    callback = kerac.callbacks.LambdaCallback(
        on_train_begin=lambda logs: heard.append(logs),
        on_epoch_begin=lambda epoch, logs: heard.append(epoch),
    )
    classifier().fit(X, LABELS, verbose=0, callbacks=[[callback]])
    assert heard == [{}, 0]


def batches(with_labels: bool) -> Iterator[Any]:
    for start in range(0, 45, 20):
        rows = slice(start, start + 20)
        yield (X[rows], LABELS[rows]) if with_labels else X[rows]


class Numbered(kerac.utils.PyDataset):  # type: ignore[name-defined,misc]
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return list(batches(True))[index]


def test_predict_takes_what_fit_takes() -> None:
    model = classifier()
    wanted = model.predict(X, verbose=0)
    for data in (batches(True), batches(False), Numbered(), X.tolist(), [X]):
        np.testing.assert_array_equal(model.predict(data, verbose=0), wanted)
    assert model.predict(batches(False), steps=2, verbose=0).shape == (40, 3)
    np.testing.assert_array_equal(model.predict_on_batch(X), wanted)


def test_predictions_follow_training_without_new_code(monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier()
    model.fit(X, LABELS, verbose=0)
    model.predict(X, verbose=0)
    model.fit(X, LABELS, verbose=0)
    monkeypatch.setattr(sys.modules["kerac.compile"], "compile", None)
    found = model.predict(X, verbose=0)
    monkeypatch.undo()
    fresh = classifier()
    fresh.set_weights(model.get_weights())
    np.testing.assert_allclose(found, fresh.predict(X, verbose=0), rtol=1e-5, atol=1e-7)
    fresh.set_weights([w * 0 for w in fresh.get_weights()])
    np.testing.assert_allclose(fresh.predict(X, verbose=0), 1 / 3, rtol=1e-6)


def changed(place: int, value: Any) -> np.ndarray:
    labels = LABELS.copy()
    labels[place] = value
    return labels


WRONG = {
    "output 'kind': labels are numbers of classes from 0 to 2, but that of sample 33 is 3": {
        "y": changed(33, 3)
    },
    "but that of sample 2 is -1": {"y": changed(2, -1), "shuffle": False},
    "metric 'mean_io_u": {
        "y": changed(7, 2),
        "compile": {"metrics": [kerac.metrics.MeanIoU(2, sparse_y_pred=False)]},
    },
    "all arrays need the same number of samples": {"y": LABELS[:40]},
    "sample_weight: 44 samples": {"sample_weight": np.ones(44)},
    "there is no loss 'sparse_categorical_crossentrop'": {
        "compile": {"loss": "sparse_categorical_crossentrop"}
    },
    "there is no metric 'acuracy'": {"compile": {"metrics": ["acuracy"]}},
    "y holds <U1, but numbers are expected": {"y": np.array(["a"] * 45)},
    "must have the shape \\(None, 6\\), but got \\(32, 5\\)": {"x": X[:, :5]},
    "output 'kind'": {"y": np.zeros((45, 4), "float32"), "compile": {"loss": "mse"}},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_does_not_fit_is_told(message: str) -> None:
    given = dict(WRONG[message])
    compiled = given.pop("compile", {})
    arguments = {"x": X, "y": LABELS, "verbose": 0} | given

    def train() -> None:
        classifier(**compiled).fit(**arguments)

    with pytest.raises(CompileError, match=message) as caught:
        train()
    assert "Did you mean" in str(caught.value) or "there is no" not in message


def test_a_message_names_epoch_and_batch() -> None:
    def stream() -> Iterator[Any]:
        for number in range(6):
            yield X[:8], changed(3, 9)[:8] if number == 4 else LABELS[:8]

    with pytest.raises(CompileError, match="sample 3 is 9") as caught:
        classifier().fit(stream(), epochs=2, steps_per_epoch=3, verbose=0)
    assert "in epoch 2, batch 2" in str(caught.value)


def test_a_loss_that_is_no_number_names_its_output() -> None:
    x = kerac.Input((6,))
    outputs = {n: layers.Dense(1, name=n)(x) for n in ("first", "second")}
    model = kerac.Model(x, outputs)
    model.compile("sgd", {"first": "mse", "second": "mse"})
    y = {"first": X[:, :1], "second": X[:, 1:2].copy()}
    y["second"][20] = np.inf
    with pytest.warns(UserWarning, match=r"since epoch 1, batch(es)? .*3.* by second_loss"):
        model.fit(X, y, 8, shuffle=False, verbose=0)


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_batches_that_nobody_watches_are_taken_together(shuffle: bool | str) -> None:
    generator = np.random.default_rng(5)
    x = generator.normal(size=(1003, 3)).astype("float32")
    y = generator.normal(size=(1003, 1)).astype("float32")
    found, seen = [], []
    watcher = kerac.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    for callbacks in ([], [watcher]):
        kerac.utils.set_random_seed(3)
        model = kerac.Sequential(
            [kerac.Input((3,)), kerac.layers.Dropout(0.3), kerac.layers.Dense(1)]
        )
        model.compile("adam", "mse")
        history = model.fit(
            x, y, batch_size=4, epochs=2, verbose=0, shuffle=shuffle, callbacks=callbacks
        )
        found.append((history.history["loss"], [w.numpy().tolist() for w in model.weights]))
    assert seen == 2 * list(range(251))
    assert found[0] == found[1]
