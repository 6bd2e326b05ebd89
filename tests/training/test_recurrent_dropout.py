"""Dropout of recurrent layers in training: beside Keras under the same masks, and statistics."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import Value, ops
from kerac.layers import recurrent_cells
from tests.frontend.test_training_mode import run_training
from tests.training.test_fit import assert_same, pair

GENERATOR = np.random.default_rng(23)
UNITS, FEATURES = 5, 3
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("SimpleRNN", {"recurrent_dropout": 0.5, "dropout": 0.3}),
    ("LSTM", {"dropout": 0.3}),
    ("LSTM", {"recurrent_dropout": 0.5, "dropout": 0.3}),
    ("LSTM", {"recurrent_dropout": 0.5, "activation": "relu", "go_backwards": True}),
    ("GRU", {"recurrent_dropout": 0.5}),
    ("GRU", {"recurrent_dropout": 0.5, "reset_after": False, "dropout": 0.3}),
]


@pytest.mark.parametrize(("kind", "arguments"), LAYERS, ids=str)
def test_steps_follow_keras_under_the_same_masks(
    kind: str, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = GATES[kind]
    of_state = GENERATOR.choice([0, 2], (1, gates * UNITS)).astype("float32")
    of_input = np.array([[0, 1.5, 1.5]], np.float32)

    def keep(x: Value, rate: float, seed: Any, shape: Any = None) -> Value:
        mask = of_state if shape is None else of_input[None]
        return ops.multiply(x, ops.constant(mask))

    def masks(mask: np.ndarray, parts: int, is_list: bool) -> Any:
        split = np.split(mask, parts, axis=-1)
        return split * (gates // parts) if is_list else mask

    monkeypatch.setattr(recurrent_cells, "keep", keep)
    theirs, ours = pair(
        lambda library: library.Sequential(
            [library.Input((4, FEATURES)), getattr(library.layers, kind)(UNITS, **arguments)]
        )
    )
    cell, apart = type(theirs.layers[0].cell), gates > 1 and "recurrent_dropout" in arguments
    used = [arguments.get(name) for name in ("dropout", "recurrent_dropout")]
    of_x, of_h = (
        masks(mask, parts, apart) if rate else None
        for mask, parts, rate in zip((of_input, of_state), (1, gates), used, strict=True)
    )
    monkeypatch.setattr(cell, "get_dropout_mask", lambda *_: of_x)
    monkeypatch.setattr(cell, "get_recurrent_dropout_mask", lambda *_: of_h)
    x, y = GENERATOR.normal(size=(7, 4, FEATURES)), GENERATOR.normal(size=(7, UNITS))
    for library, model in ((keras, theirs), (kerac, ours)):
        model.compile(library.optimizers.SGD(0.2), "mse")
        for _ in range(3):
            model.train_on_batch(x.astype("float32"), y.astype("float32"))
    assert_same(theirs, ours)


def test_masks_stay_for_all_steps_of_a_row() -> None:
    units, rate = 2000, 0.25
    layer = kerac.layers.SimpleRNN(
        units, "linear", recurrent_dropout=rate, use_bias=False, return_sequences=True
    )
    model = kerac.Sequential([kerac.Input((3, 1)), layer])
    model.set_weights([np.ones((1, units)), np.eye(units)])
    x = np.zeros((2, 3, 1), np.float32)
    x[:, 0] = 1
    found, _ = run_training(model, x)
    again, _ = run_training(model, x)
    np.testing.assert_array_equal(found, again)
    first, second, third = found.transpose(1, 0, 2)
    np.testing.assert_array_equal(first, 1)
    np.testing.assert_allclose(np.unique(second), [0, 1 / (1 - rate)], rtol=1e-6)
    np.testing.assert_allclose(third, second**2, rtol=1e-6)
    assert abs((second == 0).mean() - rate) < 0.03
    assert abs((second[0] == second[1]).mean() - (rate**2 + (1 - rate) ** 2)) < 0.05


def test_masks_of_inputs_stay_for_all_steps_of_a_row() -> None:
    features, rate = 2000, 0.4
    layer = kerac.layers.SimpleRNN(features, "linear", dropout=rate, return_sequences=True)
    model = kerac.Sequential([kerac.Input((2, features)), layer])
    zeros = np.zeros((features, features))
    model.set_weights([np.eye(features), zeros, np.zeros(features)])
    found, _ = run_training(model, np.ones((2, 2, features), np.float32))
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    np.testing.assert_allclose(np.unique(found), [0, 1 / (1 - rate)], rtol=1e-6)
    assert abs((found[:, 0] == 0).mean() - rate) < 0.03
    assert np.any(found[0] != found[1])


def test_inference_drops_nothing() -> None:
    layers = [
        kerac.layers.LSTM(UNITS, dropout=rate, recurrent_dropout=rate) for rate in (0.0, 0.5)
    ]
    one, other = (kerac.Sequential([kerac.Input((4, FEATURES)), layer]) for layer in layers)
    other.set_weights(one.get_weights())
    x = GENERATOR.normal(size=(7, 4, FEATURES)).astype("float32")
    np.testing.assert_array_equal(one.predict(x, verbose=0), other.predict(x, verbose=0))
