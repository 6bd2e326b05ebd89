"""Callbacks that watch records: when they stop training and what they save."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError


class Recorded:
    """A model that only has one weight: the number of the epoch."""

    def __init__(self) -> None:
        self.stop_training = False
        self.weight = -1

    def get_weights(self) -> list[int]:
        return [self.weight]

    def set_weights(self, weights: list[int]) -> None:
        (self.weight,) = weights


def play(callback: Any, values: list[float]) -> tuple[int, int]:
    """The last epoch, and the weight after training."""
    model = Recorded()
    callback.set_model(model)
    callback.on_train_begin()
    epoch = 0
    for epoch, value in enumerate(values):
        model.weight = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"val_loss": value})
        if model.stop_training:
            break
    callback.on_train_end()
    return epoch, model.weight


@pytest.mark.parametrize("seed", range(20))
def test_early_stopping_follows_keras(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = [float(x) for x in generator.uniform(0, 1, 12).round(2)]
    arguments = {
        "patience": int(generator.integers(0, 4)),
        "min_delta": float(generator.choice([0.0, 0.1])),
        "mode": str(generator.choice(["min", "max"])),
        "baseline": [None, 0.5][seed % 2],
        "restore_best_weights": bool(generator.integers(0, 2)),
        "start_from_epoch": int(generator.integers(0, 3)),
    }
    ours = kerac.callbacks.EarlyStopping(**arguments)
    theirs = keras.callbacks.EarlyStopping(**arguments)
    assert play(ours, values) == play(theirs, values)


X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def regression() -> Any:
    model = kerac.Sequential([kerac.Input((3,)), kerac.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_checkpoints_are_named_by_epochs_and_records(tmp_path: Path) -> None:
    model = regression()
    save = kerac.callbacks.ModelCheckpoint(tmp_path / "deep" / "{epoch:02d}-{val_loss:.3f}.keras")
    history = model.fit(X, Y, epochs=3, verbose=0, validation_data=(X, Y), callbacks=[save])
    losses = history.history["val_loss"]
    names = [f"{epoch:02d}-{loss:.3f}.keras" for epoch, loss in enumerate(losses, 1)]
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == names
    last = kerac.models.load_model(tmp_path / "deep" / names[-1])
    np.testing.assert_array_equal(last.predict(X), model.predict(X))


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    model, path = regression(), tmp_path / "best.weights.h5"
    best = kerac.callbacks.ModelCheckpoint(
        path, monitor="loss", save_best_only=True, save_weights_only=True
    )
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[best])
    kept = model.get_weights()
    model.fit(X, -100 * Y, epochs=1, verbose=0, callbacks=[best])
    model.load_weights(path)
    for found, wanted in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_checkpoints_every_few_batches(tmp_path: Path) -> None:
    save = kerac.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=3
    )
    regression().fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=[save])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["1-3.weights.h5", "2-2.weights.h5"]


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"filepath": "model.h5"}, "must end in .keras"),
    ({"filepath": "a.keras", "save_weights_only": True}, "must end in .weights.h5"),
    ({"filepath": "a.keras", "save_freq": 0}, "save_freq is 0, but must be 'epoch' or a positive"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        kerac.callbacks.ModelCheckpoint(**arguments)


def test_a_record_that_is_not_there_is_named(tmp_path: Path) -> None:
    save = kerac.callbacks.ModelCheckpoint(tmp_path / "{val_acc}.keras")
    with pytest.raises(CompileError, match="names 'val_acc', but there are epoch, loss"):
        regression().fit(X, Y, verbose=0, callbacks=[save])
