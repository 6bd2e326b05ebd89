"""Dropout of attention in training: beside Keras under the same masks, and statistics."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import Value, ops
from kerac.layers import attention, dot_attention
from tests.frontend.test_training_mode import run_training
from tests.training.test_fit import assert_same, pair

GENERATOR = np.random.default_rng(29)
BATCH, QUERIES, KEYS, DEPTH, RATE = 3, 4, 5, 6, 0.5
HEADS = {"num_heads": 2, "key_dim": 3}
GROUPS = {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 3}
LAYERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("MultiHeadAttention", HEADS, {}),
    ("MultiHeadAttention", HEADS | {"use_gate": True}, {"use_causal_mask": True}),
    ("MultiHeadAttention", HEADS, {"return_attention_scores": True}),
    ("GroupQueryAttention", GROUPS, {}),
    ("GroupQueryAttention", GROUPS | {"sliding_window": 2}, {"use_causal_mask": True}),
    ("Attention", {"use_scale": True}, {}),
    ("Attention", {}, {"return_attention_scores": True, "use_causal_mask": True}),
    ("Attention", {"score_mode": "concat"}, {}),
    ("AdditiveAttention", {}, {"use_causal_mask": True}),
]


def attending(library: Any, name: str, arguments: dict[str, Any], called: dict[str, Any]) -> Any:
    """A model whose second output, if there is one, are the weights."""
    inputs = [library.Input((steps, DEPTH), name=f"x{steps}") for steps in (QUERIES, KEYS)]
    query, value = (library.layers.Dense(DEPTH)(x) for x in inputs)
    layer = getattr(library.layers, name)(**arguments, dropout=RATE)
    takes_list = name in {"Attention", "AdditiveAttention"}
    tensors = ([query, value],) if takes_list else (query, value)
    return library.Model(inputs, layer(*tensors, **called))


@pytest.mark.parametrize(("name", "arguments", "called"), LAYERS, ids=str)
def test_steps_follow_keras_under_the_same_masks(
    name: str, arguments: dict[str, Any], called: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = GENERATOR.choice([0, 1 / (1 - RATE)], (1, 1, QUERIES, KEYS)).astype("float32")

    def mask_for(weights: Any) -> np.ndarray:
        return kept.reshape(kept.shape[4 - len(weights.shape) :])

    def keep(x: Value, rate: float, seed: Any) -> Value:
        assert rate == RATE
        return ops.multiply(x, ops.constant(mask_for(x)))

    def dropout(x: Any, rate: float, **_: Any) -> Any:
        return x * mask_for(x)

    for module in (attention, dot_attention):
        monkeypatch.setattr(module, "keep", keep)
    monkeypatch.setattr(keras.src.backend.random, "dropout", dropout)
    theirs, ours = pair(lambda library: attending(library, name, arguments, called))
    x = [GENERATOR.normal(size=(BATCH, steps, DEPTH)) for steps in (QUERIES, KEYS)]
    y = [GENERATOR.normal(size=(BATCH, *output.shape[1:])) for output in ours.outputs]
    x, y = ([array.astype("float32") for array in arrays] for arrays in (x, y))
    for library, model in ((keras, theirs), (kerac, ours)):
        model.compile(library.optimizers.SGD(0.2), "mse")
        for _ in range(3):
            model.train_on_batch(x, y)
    assert_same(theirs, ours)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("name", ["MultiHeadAttention", "Attention"])
def test_a_share_of_the_weights_is_dropped(name: str, seed: int | None) -> None:
    steps, rate = 60, 0.3
    x = kerac.Input((steps, steps))
    if name == "Attention":
        layer = kerac.layers.Attention(dropout=rate, seed=seed)
        model = kerac.Model(x, layer([kerac.ops.zeros_like(x), x]))
    else:
        layer = kerac.layers.MultiHeadAttention(1, steps, dropout=rate, seed=seed, use_bias=False)
        model = kerac.Model(x, layer(x, x))
        identity = np.eye(steps)[:, None]
        zeros = np.zeros_like(identity)
        model.set_weights([zeros, zeros, identity, identity.reshape(1, steps, steps)])
    # equal scores and values of one place each: what comes out are the weights
    values = np.broadcast_to(np.eye(steps, dtype=np.float32), (3, steps, steps))
    found, _ = run_training(model, values)
    again, _ = run_training(model, values)
    np.testing.assert_array_equal(found, again)
    np.testing.assert_allclose(np.unique(found.round(6)) * steps, [0, 1 / (1 - rate)], rtol=1e-3)
    assert abs((found == 0).mean() - rate) < 0.02
    assert abs((found[0] == found[1]).mean() - (rate**2 + (1 - rate) ** 2)) < 0.04
    np.testing.assert_allclose(model.predict(values, verbose=0), 1 / steps, rtol=1e-5)
