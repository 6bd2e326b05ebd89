"""Fifty steps beside Keras, from the same weights: kinds of networks, and all optimizers.

Every weight ends within 1e-4 of Keras's, relative to the largest of its array; losses and metrics
within 1e-5. Two weights are left out that have no effect: a bias right before a normalization over
the batch (the network has none), and that of an attention's keys, which adds the same to all scores
of a query. Their gradients are nothing but rounding, which an optimizer that divides by the
gradient's size turns into steps of full length.

Some pairs are run always, each optimizer in one at least, those with rules for matrices or whole
arrays in several; `--exhaustive` runs each optimizer on each network.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import Graph, evaluate_graph, parse
from kerac.passes.differentiate import gradients
from tests.training.test_fit import pair

GENERATOR = np.random.default_rng(31)
BATCHES, SIZE, EPOCHS, CLASSES = 5, 8, 10, 3
LABELS = GENERATOR.integers(0, CLASSES, BATCHES * SIZE)


def mlp(library: Any) -> list[Any]:
    layers = library.layers
    return [library.Input((6,)), layers.Dense(7, activation="relu"), layers.Dense(5, "tanh")]


def cnn(library: Any) -> list[Any]:
    layers = library.layers
    return [
        library.Input((6, 5, 2)),
        layers.Conv2D(4, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(3, 2, activation="elu"),
        layers.Flatten(),
    ]


def lstm(library: Any) -> list[Any]:
    layers = library.layers
    return [library.Input((5, 3)), layers.LSTM(4, return_sequences=True), layers.LSTM(4)]


def gru(library: Any) -> list[Any]:
    return [library.Input((5, 3)), library.layers.GRU(4)]


def transformer(library: Any) -> list[Any]:
    layers = library.layers
    x = library.Input((5, 4))
    attended = layers.MultiHeadAttention(2, 3)(x, x)
    normal = layers.LayerNormalization()(layers.Add()([x, attended]))
    wide = layers.Dense(4)(layers.Dense(6, activation="gelu")(normal))
    block = library.Model(x, layers.LayerNormalization()(layers.Add()([normal, wide])))
    return [block, layers.GlobalAveragePooling1D()]


NETWORKS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "gru": gru, "transformer": transformer}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True},
    "RMSprop": {},
    "Adagrad": {"learning_rate": 0.02},
    "Adadelta": {"learning_rate": 0.5},
    "Adam": {},
    "AdamW": {"weight_decay": 0.01},
    "Adamax": {},
    "Nadam": {},
    "Ftrl": {"learning_rate": 0.02},
    "Lion": {"learning_rate": 1e-4},
    "Adafactor": {},
    "Muon": {"learning_rate": 1e-3},
    "Lamb": {"learning_rate": 0.01},
    "ScheduleFreeAdamW": {"warmup_steps": 10},
    "LossScaleOptimizer": {"initial_scale": 128.0, "dynamic_growth_steps": 20},
}
QUICK = {
    *(("mlp", "Lion"), ("cnn", "Adam"), ("lstm", "RMSprop"), ("gru", "Adam")),
    ("transformer", "AdamW"),
}
SLOW = {
    *(("mlp", optimizer) for optimizer in OPTIMIZERS),
    *(("cnn", "Lamb"), ("cnn", "Muon"), ("lstm", "Adafactor"), ("gru", "Nadam")),
    ("transformer", "Muon"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "optimizer" not in metafunc.fixturenames:
        return
    wanted = QUICK | SLOW
    if metafunc.config.getoption("--exhaustive"):
        wanted = set(product(NETWORKS, OPTIMIZERS))
    pairs = [
        pytest.param(*names, marks=() if names in QUICK else pytest.mark.slow)
        for names in sorted(wanted)
    ]
    metafunc.parametrize(("network", "optimizer"), pairs)


def rule_of(library: Any, optimizer: str) -> Any:
    """One of `OPTIMIZERS` as a library has it."""
    arguments = dict(OPTIMIZERS[optimizer])
    if optimizer == "LossScaleOptimizer":
        arguments["inner_optimizer"] = library.optimizers.Adam()
    return getattr(library.optimizers, optimizer)(**arguments)


def test_fifty_steps_end_where_those_of_keras_do(network: str, optimizer: str) -> None:
    def make(library: Any) -> Any:
        head = library.layers.Dense(CLASSES, activation="softmax", name="head")
        return library.Sequential([*NETWORKS[network](library), head])

    keras.utils.set_random_seed(31)
    theirs, ours = pair(make)
    shape = (len(LABELS), *ours.input_shape[1:])
    x = np.random.default_rng(37).normal(size=shape).astype("float32")
    histories = []
    for library, model in ((keras, theirs), (kerac, ours)):
        model.compile(
            rule_of(library, optimizer), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        found = model.fit(x, LABELS, SIZE, epochs=EPOCHS, shuffle=False, verbose=0)
        histories.append(found.history)
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        if not mine.path.endswith("attention/key/bias"):
            wanted = np.asarray(other)
            size = max(np.abs(wanted).max(), 1e-3)
            np.testing.assert_allclose(
                mine.numpy() / size, wanted / size, atol=1e-4, rtol=0, err_msg=mine.path
            )


WITHOUT_EFFECT = {
    "before a normalization": """
def f(x: f64[8, 5], k: f64[5, 4], b: f64[4], g: f64[4], w: f64[8, 4]):
    y = dense(x, k, bias=b)
    m = reduce_mean(y, axes=(0,))
    c = subtract(y, m)
    v = reduce_mean(multiply(c, c), axes=(0,))
    n = batch_norm(y, m, v, gamma=g, epsilon=0.001, axis=1)
    return reduce_sum(multiply(tanh(n), w), axes=(0, 1))
""",
    "of keys": """
def f(x: f64[8, 5], k: f64[5, 4], b: f64[4], q: f64[8, 4], w: f64[8, 8]):
    keys = dense(x, k, bias=b)
    scores = softmax(matmul(q, keys, transpose_b=True), axis=1)
    return reduce_sum(multiply(scores, w), axes=(0, 1))
""",
}


@pytest.mark.parametrize("text", WITHOUT_EFFECT.values(), ids=list(WITHOUT_EFFECT))
def test_a_bias_without_effect_has_a_gradient_of_rounding_alone(text: str) -> None:
    graph = parse(text)
    found = gradients(graph.outputs[0], graph.inputs[1:3])
    arrays = [GENERATOR.normal(size=value.shape) for value in graph.inputs]
    to_kernel, to_bias = evaluate_graph(Graph("g", graph.inputs, tuple(found)), arrays)
    assert np.abs(to_kernel).max() > 0.1
    assert np.abs(to_bias).max() < 1e-14
