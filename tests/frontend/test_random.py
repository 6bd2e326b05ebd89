"""Functions of `kerac.random`: their distributions, their seeds, and the same numbers anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac import random
from kerac.initializers import truncated_normal
from kerac.ir import evaluate_graph
from kerac.passes.pipeline import run_pipeline
from kerac.tracing import Trace, trace_function
from tests.compare import assert_close

SHAPE = (40000,)
NUMBERS = np.random.default_rng(0)


def log(*probabilities: float) -> np.ndarray:
    return np.log([probabilities])


# what is drawn, and numbers of the same distribution by NumPy
DRAWS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "uniform": (lambda r: r.uniform(SHAPE, -1, 3, seed=1), NUMBERS.uniform(-1, 3, SHAPE)),
    "normal": (lambda r: r.normal(SHAPE, 2.0, 0.5, seed=2), NUMBERS.normal(2.0, 0.5, SHAPE)),
    "truncated_normal": (
        lambda r: r.truncated_normal(SHAPE, 1.0, 3.0, seed=3),
        1.0 + 3.0 * truncated_normal(SHAPE, NUMBERS),
    ),
    "randint": (lambda r: r.randint(SHAPE, -3, 12, seed=4), NUMBERS.integers(-3, 12, SHAPE)),
    "randint_large": (
        lambda r: r.randint(SHAPE, 0, 2**31 - 1, seed=4), NUMBERS.integers(0, 2**31 - 1, SHAPE),
    ),
    "categorical": (
        lambda r: r.categorical(log(0.1, 0.2, 0.7), SHAPE[0], seed=5)[0],
        NUMBERS.choice(3, SHAPE, p=[0.1, 0.2, 0.7]),
    ),
    "gamma": (lambda r: r.gamma(SHAPE, 2.5, seed=6), NUMBERS.gamma(2.5, size=SHAPE)),
    "gamma_small": (lambda r: r.gamma(SHAPE, 0.3, seed=6), NUMBERS.gamma(0.3, size=SHAPE)),
    "beta": (lambda r: r.beta(SHAPE, 0.5, 2.0, seed=7), NUMBERS.beta(0.5, 2.0, SHAPE)),
    "beta_tiny": (lambda r: r.beta(SHAPE, 0.1, 0.2, seed=7), NUMBERS.beta(0.1, 0.2, SHAPE)),
    "binomial": (lambda r: r.binomial(SHAPE, 11, 0.3, seed=8), NUMBERS.binomial(11, 0.3, SHAPE)),
    "binomial_many": (
        lambda r: r.binomial(SHAPE, 1000, 0.27, seed=8), NUMBERS.binomial(1000, 0.27, SHAPE),
    ),
    "binomial_certain": (lambda r: r.binomial(SHAPE, 100, 1.0, seed=8), np.full(SHAPE, 100)),
    "dropout": (
        lambda r: r.dropout(np.ones(SHAPE, "float32"), 0.25, seed=9),
        NUMBERS.binomial(1, 0.75, SHAPE) / 0.75,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_distribution(name: str) -> None:
    draw, wanted = DRAWS[name]
    numbers = draw(random)
    assert numbers.shape == SHAPE
    assert numbers.dtype == ("i4" if name[:3] in ("ran", "cat") else "f4")
    # The distance of Kolmogorov and Smirnov: 2.2 sqrt(2 / n) is passed once in 1e4.
    both = [x.astype("f4") for x in (numbers, wanted)]
    points = np.unique(np.concatenate(both))
    below = [np.searchsorted(np.sort(x), points, "right") / x.size for x in both]
    assert np.abs(below[0] - below[1]).max() < 2.2 * np.sqrt(2 / SHAPE[0])
    distance = abs(numbers.mean(dtype="f8") - wanted.mean())
    assert distance <= 6 * wanted.std() / np.sqrt(SHAPE[0])


@pytest.mark.parametrize("name", ["uniform", "normal", "randint", "categorical", "dropout"])
def test_results_are_of_the_type_that_keras_gives(name: str) -> None:
    ours, theirs = (np.asarray(DRAWS[name][0](module)) for module in (random, keras.random))
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)


GRAPHS: dict[str, Callable[[Any], Any]] = {
    "uniform": lambda x: random.uniform(x.shape, -1, 3, seed=1),
    "normal": lambda x: random.normal(x.shape, 1.0, 3.0, seed=1),
    "truncated_normal": lambda x: random.truncated_normal(x.shape, seed=3),
    "randint": lambda x: random.randint(x.shape, 0, 2**31 - 1, seed=4),
    "categorical": lambda x: random.categorical(x, 4, seed=5),
    "gamma": lambda x: random.gamma(x.shape, 0.8, seed=6),
    "beta": lambda x: random.beta(x.shape, 0.5, 2.0, seed=7),
    "binomial": lambda x: random.binomial(x.shape, 40, 0.3, seed=8),
    "shuffle": lambda x: random.shuffle(x, seed=9),
    "shuffle_along": lambda x: random.shuffle(x, axis=1, seed=9),
    "dropout": lambda x: random.dropout(x, 0.3, seed=9),
    "dropout_together": lambda x: random.dropout(x, 0.3, noise_shape=(None, 1), seed=9),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_draws_the_numbers_that_arrays_get(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    wanted = GRAPHS[name](x)
    inputs = kerac.Input((5,))
    types = {"x": inputs.type}
    graph = trace_function(lambda values: GRAPHS[name](values[0]), types, Trace("draw")).graph
    for result in (
        evaluate_graph(graph, [x])[0],
        evaluate_graph(run_pipeline(graph, check=True).graph, [x])[0],
        kerac.compile(graph)(x),
    ):
        assert_close(result, wanted)


def test_seeds() -> None:
    first = random.normal((3,), seed=3)
    np.testing.assert_array_equal(first, random.normal((3,), seed=3))
    generator, again = random.SeedGenerator(3), random.SeedGenerator(3)
    draws = [random.normal((3,), seed=generator) for _ in range(3)]
    assert len({x.tobytes() for x in draws}) == 3
    np.testing.assert_array_equal(draws, [random.normal((3,), seed=again) for _ in range(3)])
    kerac.utils.set_random_seed(5)
    unseeded = [random.normal((3,)) for _ in range(2)]
    assert unseeded[0].tobytes() != unseeded[1].tobytes()
    kerac.utils.set_random_seed(5)
    np.testing.assert_array_equal(unseeded[0], random.normal((3,)))
    copy = random.SeedGenerator.from_config(generator.get_config())
    assert copy.get_config() == {"seed": 3, "name": generator.name}


def test_shuffle_keeps_what_is_there() -> None:
    x = np.arange(60).reshape(20, 3)
    mixed = random.shuffle(x, seed=1)
    assert sorted(mixed.tolist()) == x.tolist()
    assert mixed.tolist() != x.tolist()
    along = random.shuffle(x, axis=1, seed=1)
    assert along.shape == x.shape
    assert sorted(along[0]) == [0, 1, 2]


class Sampling(kerac.Layer):
    """The layer of a variational autoencoder that draws from what it encodes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = random.SeedGenerator(1337)

    def call(self, inputs: Any) -> Any:
        mean, log_variance = inputs
        noise = random.normal(mean.shape, seed=self.seed_generator)
        return mean + kerac.ops.exp(log_variance * 0.5) * noise


def test_a_layer_draws_in_training_and_in_inference() -> None:
    inputs = kerac.Input((3,))
    mean, log_variance = kerac.layers.Dense(2)(inputs), kerac.layers.Dense(2)(inputs)
    model = kerac.Model(inputs, kerac.layers.Dense(3)(Sampling()([mean, log_variance])))
    model.compile(kerac.optimizers.SGD(0.0), "mse")
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    losses = model.fit(x, x, epochs=3, verbose=0).history["loss"]
    assert len(set(losses)) == 3
    first, second = (model.predict(np.concatenate([x[:1]] * 2), verbose=0) for _ in range(2))
    assert first[0].tolist() != first[1].tolist()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: random.normal((2,), seed="a"), "seed is 'a', but an integer, a SeedGenerator"),
        (lambda: random.SeedGenerator(1.5), "SeedGenerator: seed is 1.5, but an integer"),
        (lambda: random.randint((2,), 0, 3, dtype="float32"), "dtype is 'float32', but integers"),
        (lambda: random.binomial((2,), -1, 0.5), r"counts must lie in \[0, 2\^24\)"),
        (lambda: random.categorical(np.zeros(3), 2), "logits must have 2 axes"),
        (lambda: random.dropout(np.zeros(3), 2.0), r"rate is 2.0, but must lie in \[0, 1\]"),
    ],
)
def test_errors(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
