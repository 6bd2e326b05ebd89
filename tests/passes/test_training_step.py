"""Whole training steps: gradients as JAX has them, and native code as the reference has it."""

from __future__ import annotations

import numpy as np
import pytest

from kerac.ir import Graph, Value, evaluate_graph, ops, parse
from kerac.passes.check import random_inputs
from kerac.passes.differentiate import gradients
from kerac.passes.pipeline import run_pipeline
from tests.compare import assert_close
from tests.llvm.native import compile_graph

CNN = """
def cnn(x: f32[N, 12, 11, 3], y: f32[N, 5], k1: f32[3, 3, 3, 16], b1: f32[16],
        k2: f32[3, 3, 16, 20], b2: f32[20], w: f32[180, 5], b: f32[5]):
    c1 = relu(convolution(x, k1, bias=b1, padding="same"))
    p1 = max_pool(c1, window=(2, 2), strides=(2, 2), padding="same")
    c2 = tanh(convolution(p1, k2, bias=b2, strides=(2, 2), padding=((1, 1), (1, 1))))
    p2 = average_pool(c2, window=(2, 2), strides=(1, 1), padding="same")
    logits = dense(reshape(p2, shape=(N, 180)), w, bias=b)
    loss = negative(reduce_mean(multiply(log_softmax(logits, axis=1), y), axes=(0, 1)))
    return loss
"""
MLP = """
def mlp(x: f32[N, T, 7], y: f32[N, T, 3], w1: f32[7, 33], b1: f32[33], g: f32[33], w2: f32[33, 3]):
    h = layer_norm(gelu(dense(x, w1, bias=b1)), gamma=g, axes=(2,))
    return reduce_mean(square(subtract(dense(h, w2), y)), axes=(0, 1, 2))
"""
NORMALIZED = """
def normalized(x: f32[N, 5, 6, 4], k: f32[1, 1, 4, 8], gamma: f32[8], beta: f32[8], w: f32[8, 1]):
    c = convolution(x, k)
    mean = reduce_mean(c, axes=(0, 1, 2))
    variance = reduce_mean(square(subtract(c, mean)), axes=(0, 1, 2))
    n = batch_norm(c, mean, variance, gamma=gamma, beta=beta, axis=3)
    y = dense(reduce_mean(relu(n), axes=(1, 2)), w)
    return reduce_mean(square(y), axes=(0, 1))
"""
RECURRENT = """
def recurrent(x: f32[N, T, 5], mask: bool[N, T], k: f32[5, 44], r: f32[11, 44], b: f32[44],
              h: f32[N, 11], c: f32[N, 11], k2: f32[11, 9], r2: f32[3, 9], k3: f32[3, 17],
              r3: f32[17, 17], b3: f32[17], k4: f32[17, 21], r4: f32[7, 21], b4: f32[2, 21]):
    one = item(lstm(x, k, r, bias=b, initial_state=h, initial_cell=c, mask=mask), index=0)
    two = item(gru(one, k2, r2, mask=mask, reset_after=False, reverse=True), index=0)
    three = item(simple_rnn(two, k3, r3, bias=b3, activation="softsign"), index=0)
    last = gru(three, k4, r4, bias=b4, mask=mask, zero_output_for_mask=True)
    return reduce_mean(square(item(last, index=1)), axes=(0, 1))
"""


def step(text: str, rate: float = 0.1) -> Graph:
    """A step of gradient descent for all inputs of a loss but x and y."""
    loss = parse(text)
    places = [i for i, value in enumerate(loss.inputs) if value.name not in ("x", "y", "mask")]
    weights = [loss.inputs[i] for i in places]
    found = gradients(loss.outputs[0], weights)

    def descend(weight: Value, gradient: Value) -> Value:
        return ops.subtract(weight, ops.multiply(gradient, rate))

    new = map(descend, weights, found)
    updates = tuple((place, number) for number, place in enumerate(places, start=1))
    return Graph(loss.name, loss.inputs, (loss.outputs[0], *new), updates=updates)


@pytest.mark.parametrize(
    "text", [CNN, MLP, NORMALIZED, RECURRENT], ids=["cnn", "mlp", "normalized", "recurrent"]
)
def test_native_steps_are_those_of_the_reference(text: str) -> None:
    graph = step(text)
    compiled = run_pipeline(graph, check=True).graph
    found = random_inputs(graph, batch=19)
    arrays = [array if array.dtype == bool else 0.5 * array for array in found]
    for actual, expected in zip(
        compile_graph(compiled)(*arrays), evaluate_graph(graph, arrays), strict=True
    ):
        assert_close(actual, expected, 2e-5)


def test_gradients_are_those_of_jax() -> None:
    import jax
    import jax.numpy as jnp
    from jax import lax

    def loss(weights, x, y):
        k1, b1, k2, b2, w, b = weights
        dims = ("NHWC", "HWIO", "NHWC")
        c1 = jax.nn.relu(lax.conv_general_dilated(x, k1, (1, 1), "SAME", None, None, dims) + b1)
        p1 = lax.reduce_window(c1, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")
        around = ((1, 1), (1, 1))
        c2 = jnp.tanh(lax.conv_general_dilated(p1, k2, (2, 2), around, None, None, dims) + b2)
        over = ((1, 2, 2, 1), (1, 1, 1, 1), "SAME")
        count = lax.reduce_window(jnp.ones_like(c2), 0.0, lax.add, *over)
        p2 = lax.reduce_window(c2, 0.0, lax.add, *over) / count
        logits = p2.reshape(len(x), -1) @ w + b
        return -(jax.nn.log_softmax(logits) * y).mean()

    graph = parse(CNN)
    arrays = [0.5 * array for array in random_inputs(graph, batch=7)]
    found = gradients(graph.outputs[0], graph.inputs[2:])
    expected = jax.grad(loss)(tuple(arrays[2:]), *arrays[:2])
    ours = evaluate_graph(Graph("g", graph.inputs, tuple(found)), arrays)
    for one, other in zip(ours, expected, strict=True):
        assert_close(one, np.asarray(other), 2e-5)
