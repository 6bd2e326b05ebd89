"""Training by dtype policies beside Keras: weights in float32, computations in 16 bits."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerac

STEPS, SIZE, CLASSES = 50, 8, 3
GENERATOR = np.random.default_rng(41)
X = GENERATOR.normal(size=(STEPS * SIZE, 6, 6, 2)).astype("float32")
Y = (X.mean((1, 2)) @ GENERATOR.normal(size=(2, CLASSES))).argmax(-1)


@pytest.fixture(autouse=True)
def _policies() -> Any:
    yield
    for module in (keras, kerac):
        module.config.set_dtype_policy("float32")


def network(k: Any, policy: str) -> Any:
    """Convolutions, normalizations and a recurrence; probabilities are float32."""
    k.config.set_dtype_policy(policy)
    layers = k.layers
    x = k.Input((6, 6, 2))
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
    y = layers.MaxPooling2D()(layers.Conv2D(8, 3, padding="same", activation="silu")(y))
    y = layers.Reshape((9, 8))(y)
    y = layers.LayerNormalization()(layers.Add()([y, layers.Dense(8, activation="gelu")(y)]))
    y = layers.GRU(8)(y)
    return k.Model(x, layers.Dense(CLASSES, activation="softmax", dtype="float32")(y))


def pair(policy: str, optimizer: Any, path: Path) -> tuple[Any, Any]:
    """The same network in both libraries, compiled alike."""
    keras.utils.set_random_seed(43)
    theirs, ours = network(keras, policy), network(kerac, policy)
    theirs.save_weights(path / "first.weights.h5")
    ours.load_weights(path / "first.weights.h5")
    for k, model in ((keras, theirs), (kerac, ours)):
        loss = "sparse_categorical_crossentropy"
        model.compile(optimizer(k), loss, metrics=["accuracy"])
    return theirs, ours


# how far losses and weights end from Keras's, the latter as parts of the ways that weights went;
# numbers of 16 bits are rounded at other places
TOLERANCES = {"mixed_bfloat16": (1e-2, 0.2), "mixed_float16": (2e-3, 0.03)}


@pytest.mark.slow
@pytest.mark.parametrize("policy", TOLERANCES)
def test_fifty_steps_end_near_those_of_keras(policy: str, tmp_path: Path) -> None:
    theirs, ours = pair(policy, lambda k: k.optimizers.SGD(0.01, momentum=0.9), tmp_path)
    start = ours.get_weights()
    histories = [
        model.fit(X, Y, SIZE, shuffle=False, verbose=0).history for model in (theirs, ours)
    ]
    to_loss, to_weights = TOLERANCES[policy]
    np.testing.assert_allclose(histories[1]["loss"], histories[0]["loss"], rtol=to_loss)
    assert type(ours.optimizer).__name__ == type(theirs.optimizer).__name__
    assert {v.dtype for v in ours.weights} == {"float32"}
    ends = [[np.asarray(v) for v in model.weights] for model in (theirs, ours)]
    apart, way = (_distance(*pair) for pair in (ends, (start, ends[0])))
    assert apart <= to_weights * way


def _distance(one: list[Any], other: list[Any]) -> float:
    return float(np.sqrt(sum(((x - y) ** 2).sum() for x, y in zip(one, other, strict=True))))


def test_the_scale_of_the_loss_follows_what_gradients_allow(tmp_path: Path) -> None:
    def optimizer(k: Any) -> Any:
        inner = k.optimizers.SGD(0.01)
        # 2^26 is too much for float16, so that the first steps are skipped
        return k.optimizers.LossScaleOptimizer(
            inner, initial_scale=2.0**26, dynamic_growth_steps=4
        )

    theirs, ours = pair("mixed_float16", optimizer, tmp_path)
    before = ours.get_weights()
    scales: list[list[float]] = [[], []]
    for start in range(0, 25 * SIZE, SIZE):
        part = slice(start, start + SIZE)
        for found, model in zip(scales, (theirs, ours), strict=True):
            model.train_on_batch(X[part], Y[part])
            found.append(float(np.asarray(_scale(model.optimizer))))
        if start == 0:
            for old, new, variable in zip(before, ours.get_weights(), ours.weights, strict=True):
                assert (old == new).all() == variable.trainable, variable.path
    assert scales[1] == scales[0]
    assert min(scales[1]) < 2.0**26
    assert any(after > before for before, after in pairwise(scales[1]))
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    for k, name in ((keras, "ours"), (kerac, "theirs"), (kerac, "ours")):
        again = k.models.load_model(tmp_path / f"{name}.keras")
        assert type(again.optimizer).__name__ == "LossScaleOptimizer"
        assert float(np.asarray(_scale(again.optimizer))) == scales[1][-1]
        again.train_on_batch(X[:SIZE], Y[:SIZE])


def _scale(optimizer: Any) -> Any:
    return next(v for v in optimizer.variables if "dynamic_scale" in v.path)
