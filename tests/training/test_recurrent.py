"""Recurrent layers trained beside Keras, from the same weights and batches."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import kerac
from tests.training.test_fit import assert_same, assert_same_history, pair

GENERATOR = np.random.default_rng(17)
TOKENS = GENERATOR.integers(0, 9, (40, 6)) * (GENERATOR.random((40, 6)) < 0.7)
LABELS = (TOKENS.sum(1) > 20).astype("float32")


def reading(*layers: tuple[str, dict[str, Any]], mask: bool, both_ways: bool = False) -> Any:
    """A model that reads tokens by recurrent layers."""

    def make(library: Any) -> Any:
        stack = [getattr(library.layers, name)(5, **arguments) for name, arguments in layers]
        if both_ways:
            stack[0] = library.layers.Bidirectional(stack[0])
        embedding = library.layers.Embedding(9, 4, mask_zero=mask)
        head = library.layers.Dense(1, activation="sigmoid")
        return library.Sequential([library.Input((6,), dtype="int32"), embedding, *stack, head])

    return make


SEQUENCES = {"return_sequences": True}
MODELS = {
    "alone": reading(("LSTM", {}), mask=False),
    "masked": reading(
        ("LSTM", SEQUENCES),
        ("GRU", SEQUENCES | {"reset_after": False}),
        ("SimpleRNN", {"activation": "relu", "go_backwards": True}),
        mask=True,
    ),
    "both-ways": reading(("LSTM", SEQUENCES), ("GRU", {}), mask=True, both_ways=True),
}
SLOW = ("masked", "both-ways")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in MODELS]
)
def test_they_follow_keras(name: str) -> None:
    theirs, ours = pair(MODELS[name])
    histories = []
    for library, model in ((keras, theirs), (kerac, ours)):
        model.compile(library.optimizers.SGD(0.1), "binary_crossentropy")
        histories.append(
            model.fit(TOKENS, LABELS, batch_size=16, epochs=2, shuffle=False, verbose=0)
        )
    assert_same(theirs, ours)
    assert_same_history(*histories)
