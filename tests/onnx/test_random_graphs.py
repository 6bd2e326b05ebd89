"""Random graphs of ops that want their operands in different orders, against the reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kerac.ir import Graph, TensorType, Value, symbol
from kerac.ir.ops import (
    GRU,
    LSTM,
    AveragePool,
    BatchNorm,
    Convolution,
    Dropout,
    LayerNorm,
    MaxPool,
    Pad,
    ReduceMax,
    ReduceMean,
    Relu,
    Sigmoid,
    Softmax,
    Tanh,
    concatenate,
    constant,
    dense,
    graph_input,
    item,
    matmul,
    maximum,
    multiply,
    repeat,
    reshape,
    reverse,
    slice_axis,
    subtract,
    transpose,
)
from kerac.ir.types import is_static
from tests.onnx.session import assert_same_as_reference

N, T = symbol("N"), symbol("T")
MOST_ELEMENTS = 4000  # of one sample of the batch, and so of a value


class Grower:
    """Adds random values to a graph. The first axis is always the batch."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        shapes = [(N, 4, 5, 3), (N, T, 4), (N, 6, 2), (N, 4, 5, 3)]
        self.inputs = [graph_input(f"x{i}", TensorType("f32", s)) for i, s in enumerate(shapes)]
        self.values: list[Value] = list(self.inputs)

    def grow(self) -> None:
        """Add a value by one of the methods below, unless it becomes too large."""
        x = self.values[self.random.integers(max(0, len(self.values) - 6), len(self.values))]
        value = GROWTH[self.random.integers(len(GROWTH))](self, x)
        if value is not None and value.ndim > 1:
            elements = value.tensor_type.substitute({"N": 1, "T": 3}).size
            if isinstance(elements, int) and elements <= MOST_ELEMENTS:
                self.values.append(value)

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high, endpoint=True))

    def weight(self, *shape: int) -> Value:
        return constant(self.random.uniform(-0.6, 0.6, shape).astype(np.float32))

    def positive(self, *shape: int) -> Value:
        return constant(self.random.uniform(0.5, 1, shape).astype(np.float32))

    def axis(self, x: Value) -> int:
        return self.number(1, x.ndim - 1)

    def unary(self, x: Value) -> Value:
        op = (Relu(), Sigmoid(), Tanh(), Dropout(0.5))[self.number(0, 3)]
        return op(x)

    def binary(self, x: Value) -> Value | None:
        function = (multiply, maximum, subtract)[self.number(0, 2)]
        others = [other for other in self.values if other is not x and other.shape == x.shape]
        if others and self.number(0, 3):
            return function(x, others[self.number(0, len(others) - 1)])
        shape = x.shape[self.axis(x) :]
        ones = [1 if not isinstance(dim, int) or self.number(0, 1) else dim for dim in shape]
        return function(x, self.weight(*ones))

    def gate(self, x: Value) -> Value:
        """x scaled by its own mean over some axes, as squeeze-and-excitation does."""
        return multiply(x, Sigmoid()(ReduceMean((self.axis(x),), keepdims=True)(x)))

    def convolution(self, x: Value) -> Value | None:
        if x.ndim < 3 or not is_static(x.shape[-1:]):
            return None
        window = (1,) * (x.ndim - 3) + (self.number(1, 3),)
        kernel = self.weight(*window, x.shape[-1], self.number(1, 4))
        return Convolution(padding="same", activation=Relu() if self.number(0, 1) else None)(
            x, kernel
        )

    def pooling(self, x: Value) -> Value | None:
        if x.ndim < 3 or not is_static(x.shape[1:]):
            return None
        window = tuple(self.number(1, 2) for _ in range(x.ndim - 2))
        kind = (MaxPool, AveragePool)[self.number(0, 1)]
        return kind(window, window, "same")(x)

    def normalization(self, x: Value) -> Value | None:
        axis = self.axis(x)
        length = x.shape[axis]
        if not isinstance(length, int):
            return None
        if self.number(0, 1):
            return BatchNorm(axis)(x, self.weight(length), self.positive(length))
        return LayerNorm((axis,), epsilon=0.1)(x, self.weight(length), self.weight(length))

    def softmax(self, x: Value) -> Value:
        return Softmax(self.axis(x))(x)

    def dense(self, x: Value) -> Value | None:
        if not isinstance(x.shape[-1], int):
            return None
        return dense(x, self.weight(x.shape[-1], self.number(1, 4)))

    def matmul(self, x: Value) -> Value | None:
        swapped = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
        return matmul(x, transpose(x, swapped)) if x.ndim > 2 else None

    def recurrent(self, x: Value) -> Value | None:
        if x.ndim != 3 or not isinstance(x.shape[-1], int):
            return None
        kind, units = (LSTM, GRU)[self.number(0, 1)], self.number(1, 3)
        weights = (
            self.weight(x.shape[-1], kind.gates * units),
            self.weight(units, kind.gates * units),
        )
        result = item(kind(reverse=bool(self.number(0, 1)))(x, *weights), 0)
        return reverse(result, (1,)) if self.number(0, 1) else result

    def transpose(self, x: Value) -> Value:
        return transpose(x, (0, *(int(a) for a in 1 + self.random.permutation(x.ndim - 1))))

    def reverse(self, x: Value) -> Value:
        return reverse(x, (self.axis(x),))

    def pad(self, x: Value) -> Value:
        pairs = [(0, 0), *((self.number(0, 1), self.number(0, 1)) for _ in x.shape[1:])]
        return Pad(tuple(pairs), 0.5)(x)

    def slice(self, x: Value) -> Value | None:
        axis = self.axis(x)
        length = x.shape[axis]
        if not isinstance(length, int):
            return slice_axis(x, axis, 0, (length + 1) // 2) if length == T else None
        return slice_axis(x, axis, self.number(0, length - 1), length)

    def concatenate(self, x: Value) -> Value:
        return concatenate([x, Tanh()(x)], self.axis(x))

    def repeat(self, x: Value) -> Value:
        return repeat(x, self.number(1, 3), self.axis(x))

    def reduce(self, x: Value) -> Value | None:
        return ReduceMax((self.axis(x),))(x) if x.ndim > 2 else None

    def merge(self, x: Value) -> Value | None:
        if x.ndim < 3:
            return None
        place = self.number(1, x.ndim - 2)
        merged = x.shape[place] * x.shape[place + 1]
        return reshape(x, (*x.shape[:place], merged, *x.shape[place + 2 :]))

    def split(self, x: Value) -> Value | None:
        place = self.axis(x)
        return reshape(x, (*x.shape[:place], 1, *x.shape[place:])) if x.ndim < 5 else None


GROWTH: list[Callable[[Grower, Value], Value | None]] = [
    member
    for name, member in vars(Grower).items()
    if callable(member) and member.__annotations__.get("x") == "Value" and name != "axis"
]


def random_graph(seed: int, count: int) -> Graph:
    grower = Grower(seed)
    for _ in range(count):
        grower.grow()
    unread = [value for value in grower.values if value not in grower.inputs]
    return Graph("random", tuple(grower.inputs), tuple(unread[-1 - seed % 3 :] or grower.inputs))


@pytest.mark.parametrize("seed", range(100))
def test_random_graph(seed: int) -> None:
    graph = random_graph(seed, 5 + seed % 30)
    random = np.random.default_rng(seed)
    shapes = [v.tensor_type.substitute({"N": 2, "T": 3}).shape for v in graph.inputs]
    arrays = [random.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]
    assert_same_as_reference(graph, arrays, opset=(13, 17, 20)[seed % 3])
