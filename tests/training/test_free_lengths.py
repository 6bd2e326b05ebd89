"""Labels for outputs whose lengths are free: batches of several lengths, as in Keras."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from tests.compare import assert_close

GENERATOR = np.random.default_rng(3)
Batch = tuple[Any, Any, Any]


def translator(library: Any) -> Any:
    """Two free lengths, of which the labels have the second."""
    layers = library.layers
    source, target = library.Input((None, 3)), library.Input((None, 3))
    _, *state = layers.LSTM(4, return_state=True)(source)
    decoded = layers.LSTM(4, return_sequences=True)(target, initial_state=state)
    model = library.Model([source, target], layers.Dense(3, "softmax")(decoded))
    model.compile(library.optimizers.SGD(0.1), "categorical_crossentropy", metrics=["accuracy"])
    return model


def translations(length: int) -> Batch:
    x = [GENERATOR.normal(size=(4, n, 3)).astype("float32") for n in (length + 1, length)]
    return x, np.eye(3)[GENERATOR.integers(0, 3, (4, length))], None


def tagger(library: Any) -> Any:
    """A class for each word, weights for each word."""
    layers = library.layers
    words = library.Input((None,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True)(words)
    model = library.Model(words, layers.Dense(5)(layers.GRU(3, return_sequences=True)(x)))
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.SGD(0.1), loss)
    return model


def tags(length: int) -> Batch:
    x, y = (GENERATOR.integers(0, high, (4, length)).astype("int32") for high in (9, 5))
    return x, y, GENERATOR.uniform(0.5, 2, (4, length)).astype("float32")


def enlarger(library: Any) -> Any:
    """Outputs whose lengths follow from those of the input."""
    layers = library.layers
    image = library.Input((None, None, 1))
    x = layers.UpSampling2D(2)(layers.Conv2D(3, 2)(image))
    model = library.Model(image, layers.Conv2D(1, 1)(x))
    model.compile(library.optimizers.SGD(0.1), "mse")
    return model


def images(length: int) -> Batch:
    x, y = ((4, length, length + 1, 1), (4, 2 * length - 2, 2 * length, 1))
    return *(GENERATOR.normal(size=shape).astype("float32") for shape in (x, y)), None


@pytest.mark.parametrize(
    ("make", "batch", "programs"),
    [(translator, translations, 1), (tagger, tags, 1), (enlarger, images, 2)],
)
def test_batches_of_several_lengths(
    make: Callable[[Any], Any], batch: Callable[[int], Batch], programs: int
) -> None:
    theirs, ours = make(keras), make(kerac)
    ours.set_weights(theirs.get_weights())
    for length in (5, 7, 5):
        x, y, weights = batch(length)
        want = theirs.train_on_batch(x, y, sample_weight=weights)
        got = ours.train_on_batch(x, y, sample_weight=weights)
        assert np.ravel(got) == pytest.approx(np.ravel(want), rel=1e-4)
    for one, other in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        assert_close(other, one)
    assert len(set(ours._session._programs.values())) == programs


@pytest.mark.parametrize("make", [translator, tagger, enlarger])
def test_labels_of_another_length_are_refused(make: Callable[[Any], Any]) -> None:
    batch = {translator: translations, tagger: tags, enlarger: images}[make]
    model = make(kerac)
    (x, _, _), (_, y, _) = batch(5), batch(4)
    with pytest.raises(ValueError, match=" but "):
        model.train_on_batch(x, y)
