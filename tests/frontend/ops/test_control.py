"""Choices, loops and gradients of functions that a user gives: on arrays, values and in models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np
import pytest

import kerac
from kerac.ir import Graph, Value, evaluate_graph, type_of
from kerac.ir import ops as ir_ops
from kerac.ir.errors import UnsupportedError
from kerac.ir.gradients import reverse
from kerac.structure import leaves
from tests.compare import assert_close

X = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
Function = Callable[[Any, Any], Any]
CALLS: dict[str, Function] = {
    "cond": lambda ops, x: ops.cond(ops.sum(x) > 0, lambda: x + 1, lambda: x * 2),
    "cond_of_structures": lambda ops, x: ops.cond(
        x[0, 0] > 5, lambda: (x, [x + 1]), lambda: (x * 2, [x])
    ),
    "switch": lambda ops, x: ops.switch(
        ops.cast(ops.abs(x[0, 0]) > 0, "int32"), [lambda y: y, lambda y: y * 3], x
    ),
    "fori_loop": lambda ops, x: ops.fori_loop(0, 3, lambda i, y: y * 2 + i, x),
    "while_loop": lambda ops, x: ops.while_loop(
        lambda i, y: ops.sum(y) < 50, lambda i, y: (i + 1, y * y + 1), (0, x), 5
    )[1],
    "scan": lambda ops, x: ops.scan(lambda c, row: (c + row, c * row), x[0], x),
    "scan_backwards": lambda ops, x: ops.scan(
        lambda c, row: (c + row, ops.sum(c)), x[0], x, reverse=True
    ),
    "map": lambda ops, x: ops.map(lambda row: ops.cumsum(row) * 2, x),
    "vectorized_map": lambda ops, x: ops.vectorized_map(lambda row: row[0] * row[1], x),
    "associative_scan": lambda ops, x: ops.associative_scan(
        lambda a, b: a + b + a * b, x, axis=1
    ),
    "associative_scan_backwards": lambda ops, x: ops.associative_scan(ops.add, x, reverse=True),
}


def on_values(function: Function) -> list[np.ndarray]:
    value = ir_ops.graph_input("x", type_of(X))
    found = [
        y if isinstance(y, Value) else ir_ops.constant(y)
        for y in leaves(function(kerac.ops, value))
    ]
    graph = Graph("call", (value,), tuple(found))
    native = kerac.compile(graph)(X)
    results = evaluate_graph(graph, [X])
    for one, other in zip(native if isinstance(native, tuple) else [native], results, strict=True):
        assert_close(one, other)
    return list(results)


@pytest.mark.parametrize("name", CALLS)
def test_control(name: str) -> None:
    given = keras.ops.convert_to_tensor(X)
    wanted = [np.asarray(y) for y in leaves(CALLS[name](keras.ops, given))]
    arrays = leaves(CALLS[name](kerac.ops, X))
    for one, other, expected in zip(arrays, on_values(CALLS[name]), wanted, strict=True):
        assert_close(one, expected)
        assert_close(other, expected)


def test_control_in_a_model() -> None:
    x = kerac.Input((3,), batch_size=4)
    y = kerac.ops.cond(kerac.ops.sum(x) > 0, lambda: x + 1, lambda: x * 2)
    model = kerac.Model(x, kerac.ops.map(lambda row: row * 2, y))
    wanted = 2 * np.where(X.sum() > 0, X + 1, X * 2)
    np.testing.assert_allclose(model.predict(X, verbose=0), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda ops, x: ops.while_loop(lambda y: ops.sum(y) < 9, lambda y: y + 1, x), "while_loop"),
        (
            lambda ops, x: ops.fori_loop(0, ops.cast(x[0, 0], "int32"), lambda i, y: y, x),
            "fori_loop",
        ),
        (lambda ops, x: ops.convert_to_numpy(x), "has no numbers yet"),
        (lambda ops, x: ops.arange(x[0, 0]), "length of its result must be known"),
        (lambda ops, x: ops.vectorize(lambda a: a, signature="(n)->()")(x), "signature"),
    ],
)
def test_what_is_refused(function: Function, match: str) -> None:
    with pytest.raises(UnsupportedError, match=match):
        function(kerac.ops, ir_ops.graph_input("x", type_of(X)))


def clipped(ops: Any) -> Callable[[Any], Any]:
    @ops.custom_gradient
    def function(x: Any) -> Any:
        def gradient(*args: Any, upstream: Any = None) -> Any:
            (upstream,) = args or (upstream,)
            return ops.clip(upstream, -0.5, 0.5) * x

        return ops.exp(x), gradient

    return function


def test_custom_gradient() -> None:
    value = ir_ops.graph_input("x", type_of(X))
    y = clipped(kerac.ops)(value)
    total = ir_ops.reduce_sum(ir_ops.multiply(y, y), (0, 1))
    (slope,) = reverse([total], [ir_ops.constant(1.0, "f32")], [value])
    assert slope is not None
    results = evaluate_graph(Graph("slope", (value,), (y, slope)), [X])
    wanted = jax.grad(lambda x: keras.ops.sum(clipped(keras.ops)(x) ** 2))(X)
    assert_close(results[0], np.exp(X))
    assert_close(results[1], np.asarray(wanted))
    assert_close(clipped(kerac.ops)(X), np.exp(X))
    model = kerac.Model(symbol := kerac.Input((3,)), clipped(kerac.ops)(symbol))
    assert_close(model.predict(X, verbose=0), np.exp(X))
    with pytest.raises(UnsupportedError, match="holds a Python function"):
        model.to_json()


def test_jvp() -> None:
    tangent, ops = X[::-1].copy(), kerac.ops
    found = ops.jvp(lambda a: ops.sin(a) * a, (X,), (tangent,))
    wanted = keras.ops.jvp(lambda a: keras.ops.sin(a) * a, (X,), (tangent,))
    for one, other in zip(found, wanted, strict=True):
        assert_close(one, np.asarray(other))
    symbol = kerac.Input((3,))
    assert ops.jvp(lambda a: a * a, (symbol,), (symbol,))[1].shape == (None, 3)


def test_kinds_of_tensors() -> None:
    ops, symbol = kerac.ops, kerac.Input((3,))
    assert ops.shape(symbol) == (None, 3)
    assert ops.ndim(symbol) == 2
    assert [ops.dtype(x) for x in (symbol, X, 1.5)] == ["float32", "float32", "float64"]
    assert ops.is_tensor(symbol)
    assert ops.is_tensor(X)
    assert not ops.is_tensor([1.0])
    np.testing.assert_array_equal(ops.convert_to_numpy(X), X)
    assert ops.convert_to_tensor([1, 2], "float32").dtype == np.float32
    assert ops.vectorize(lambda a, b: a + b)(X, 1.0).shape == X.shape
    assert ops.image.elastic_transform(np.zeros((2, 8, 8, 3), np.float32), seed=1).shape[1] == 8
    np.testing.assert_array_equal(ops.stop_gradient(X), X)


class Rows(kerac.layers.Layer):
    """What layers do with lengths that are not known."""

    def call(self, inputs: Any) -> Any:
        ops = kerac.ops
        count, width = ops.shape(inputs)
        merged = ops.reshape(inputs, (count * width,))
        scaled = inputs / ops.cast(count, "float32") + ops.zeros((count, 1))
        places = ops.cast(ops.arange(count), "float32")
        flat = ops.reshape(ops.reshape(merged, (-1, width)), (-1, 3))
        return scaled + flat[::-1] * places[:, None] + ops.take(inputs, [-1], axis=0) + count


def test_lengths_that_are_not_known() -> None:
    symbol = kerac.Input((3,))
    found = kerac.Model(symbol, Rows()(symbol)).predict(X, verbose=0)
    places = np.arange(4, dtype=np.float32)[:, None]
    assert_close(found, X / 4 + X[::-1] * places + X[-1] + 4)
