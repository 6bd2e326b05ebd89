"""Random graphs in which passes find much to do: layers as networks have them, in random order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerac.ir import Graph, Op, TensorType, Value, symbol
from kerac.ir import ops as o
from kerac.ir.types import is_static

N = symbol("N")
MOST_ELEMENTS = 3000  # of one sample of the batch

SMOOTH: tuple[Op, ...] = (
    o.Relu(), o.Relu6(), o.Tanh(), o.Sigmoid(), o.Silu(), o.Gelu(), o.LeakyRelu(0.1), o.Elu(0.7),
    o.HardSilu(), o.HardSigmoid(), o.Negative(), o.Absolute(), o.Softplus(), o.Selu(),
)  # fmt: skip
SPELLED: tuple[Callable[[Value], Value], ...] = (
    lambda x: o.multiply(x, o.Sigmoid()(x)),
    lambda x: o.multiply(o.HardSigmoid()(x), x),
    lambda x: o.multiply(o.minimum(o.Relu()(o.add(x, 3.0)), 6.0), 1 / 6),
    lambda x: o.maximum(o.minimum(x, 1.0), -1.0),
    lambda x: o.maximum(x, o.multiply(x, 0.3)),
    lambda x: o.divide(x, o.add(o.Absolute()(x), 1.0)),
    lambda x: o.subtract(x, o.Negative()(o.Tanh()(x))),
    lambda x: o.divide(o.subtract(x, 0.5), 4.0),
    lambda x: o.add(o.multiply(x, 1.0), 0.0),
    lambda x: o.multiply(o.add(o.multiply(x, 0.5), 0.25), 2.0),
    lambda x: o.minimum(o.Relu()(o.add(o.multiply(x, 0.5), 0.5)), 1.0),
    lambda x: o.multiply(x, o.Tanh()(o.Softplus()(x))),
    lambda x: o.subtract(x, o.Tanh()(x)),
    lambda x: o.maximum(x, 0.0),
    lambda x: o.binary(o.Power(), x, 2.0),
    lambda x: o.Reciprocal()(o.Sqrt()(o.add(o.Relu()(x), 1.0))),
    lambda x: o.multiply(x, o.add(o.multiply(o.constant(np.ones(x.shape[-1]), x.dtype), 2.0), 0.5)),
)


class Grower:
    """Adds random values to a graph with inputs of several shapes, the batch first."""

    def __init__(self, seed: int, dtype: str = "f32") -> None:
        """Start with inputs of `dtype`."""
        self.random = np.random.default_rng(seed)
        self.dtype = dtype
        shapes = ((N, 6, 5, 4), (N, 4, 6, 5), (N, 7, 3), (N, 9))
        self.inputs = [o.graph_input(f"x{i}", TensorType(dtype, s)) for i, s in enumerate(shapes)]
        self.values = [*self.inputs]
        self.count = 0

    def graph(self, steps: int) -> Graph:
        """Take `steps` steps; outputs are the last value and another one."""
        while self.count < steps:
            self.step()
        other = self.values[self.random.integers(len(self.inputs), len(self.values))]
        return Graph("random", tuple(self.inputs), (self.values[-1], other), ("last", "other"))

    def step(self) -> None:
        """Apply a random one of the methods below to a recent value, if it suits."""
        recent = max(0, len(self.values) - (3 if self.random.random() < 0.7 else 12))
        x = self.values[self.random.integers(recent, len(self.values))]
        kind = STEPS[self.random.integers(len(STEPS))]
        new = kind(self, x)
        if new is None or new is x or new.shape[:1] != (N,) or not is_static(new.shape[1:]):
            return
        if 0 < np.prod(new.shape[1:], dtype=int) <= MOST_ELEMENTS:
            self.count += 1
            self.values.append(new.labelled(name=f"{new.name}_{self.count}"))

    def weight(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Value:
        """A parameter of which each entry is different."""
        array = self.random.uniform(low, high, shape).astype(TensorType(self.dtype).numpy_dtype)
        return o.parameter(f"weight_{self.random.integers(1 << 30)}", array)

    def pick(self, *choices: object) -> object:
        """One of `choices`."""
        return choices[self.random.integers(len(choices))]

    def convolution(self, x: Value) -> Value | None:
        """A convolution of any kind."""
        if x.ndim < 3:
            return None
        spatial, channels = x.ndim - 2, x.shape[-1]
        window = tuple(min(int(n), int(self.pick(1, 1, 2, 3))) for n in x.shape[1:-1])
        groups = int(self.pick(*(g for g in (1, 1, 2, channels) if channels % g == 0)))
        filters = groups * int(self.pick(1, 2, 3)) if groups > 1 else int(self.pick(1, 3, 4, 6))
        padding = self.pick("valid", "same", ((1, 0),) * spatial)
        strides = self.pick((), (1,) * spatial, (2,) * spatial)
        op = o.Convolution(None, strides, padding, (), groups)  # type: ignore[arg-type]
        bias = self.weight(filters) if self.random.random() < 0.4 else None
        scale = (int(np.prod(window)) * channels // groups) ** -0.5
        return op(
            x, self.weight(*window, channels // groups, filters, low=-scale, high=scale), bias
        )

    def dense(self, x: Value) -> Value:
        """A dense."""
        filters = int(self.pick(1, 4, 7))
        scale = x.shape[-1] ** -0.5
        bias = self.weight(filters) if self.random.random() < 0.4 else None
        return o.dense(x, self.weight(x.shape[-1], filters, low=-scale, high=scale), bias)

    def batch_norm(self, x: Value) -> Value:
        """A normalization by constant statistics, mostly of the last axis."""
        axis = x.ndim - 1 if self.random.random() < 0.6 else int(self.random.integers(1, x.ndim))
        width = x.shape[axis]
        gamma = self.weight(width) if self.random.random() < 0.7 else None
        beta = self.weight(width) if self.random.random() < 0.7 else None
        return o.BatchNorm(axis)(x, self.weight(width), self.weight(width, low=0.3), gamma, beta)

    def activation(self, x: Value) -> Value:
        """A smooth function."""
        return SMOOTH[self.random.integers(len(SMOOTH))](x)

    def spelled(self, x: Value) -> Value:
        """A function in simpler ops."""
        return SPELLED[self.random.integers(len(SPELLED))](x)

    def with_constant(self, x: Value) -> Value:
        """Arithmetic with a constant of one of the shapes that broadcast."""
        start = int(self.random.integers(1, x.ndim + 1))
        shape = [n if self.random.random() < 0.7 else 1 for n in x.shape[start:]]
        if self.random.random() < 0.5:
            shape = list(x.shape[-1:])
        array = self.weight(*shape, low=0.5, high=1.5).op.evaluate()
        constant = o.constant(array)
        op = self.pick(o.Add(), o.Multiply(), o.Subtract(), o.Divide(), o.Maximum(), o.Minimum())
        first = self.random.random() < 0.3 and not isinstance(op, o.Divide)
        return op(constant, x) if first else op(x, constant)  # type: ignore[operator]

    def with_other(self, x: Value) -> Value | None:
        """Arithmetic with another value of this shape."""
        alike = [v for v in self.values if v.shape == x.shape and v is not x]
        if not alike:
            return None
        other = alike[self.random.integers(len(alike))]
        return self.pick(o.Add(), o.Add(), o.Multiply(), o.Subtract(), o.Maximum())(x, other)  # type: ignore[operator]

    def transpose(self, x: Value) -> Value | None:
        """Channels first or last, or axes anyhow."""
        if x.ndim < 3:
            return None
        first, last = (0, x.ndim - 1, *range(1, x.ndim - 1)), (0, *range(2, x.ndim), 1)
        anyhow = (0, *(int(axis) for axis in self.random.permutation(x.ndim - 1) + 1))
        return o.transpose(x, self.pick(first, last, last, first, anyhow))  # type: ignore[arg-type]

    def reshape(self, x: Value) -> Value:
        """Flat, with axes of length 1, or split."""
        lengths = [int(n) for n in x.shape[1:]]
        flat = int(np.prod(lengths))
        shapes = [
            (flat,),
            (1, 1, flat),
            (*lengths, 1),
            (*lengths[:1], 1, *lengths[1:]),
            (1, *lengths),
        ]
        if lengths[0] % 2 == 0:
            shapes.append((2, lengths[0] // 2, *lengths[1:]))
        return o.reshape(x, (N, *shapes[self.random.integers(len(shapes))]))

    def pad(self, x: Value) -> Value | None:
        """Zeros or another number around an image."""
        if x.ndim < 3:
            return None
        pairs = tuple((int(a), int(b)) for a, b in self.random.integers(0, 3, (x.ndim - 2, 2)))
        return o.Pad(((0, 0), *pairs, (0, 0)), float(self.pick(0.0, 0.0, 0.0, -np.inf, 1.0)))(  # type: ignore[arg-type]
            o.Relu()(x) if self.random.random() < 0.4 else x
        )

    def pool(self, x: Value) -> Value | None:
        """A pool that may cover the whole image."""
        if x.ndim < 3:
            return None
        image = tuple(int(n) for n in x.shape[1:-1])
        small = tuple(min(n, 2) for n in image)
        window = self.pick(image, small, small, (1,) * len(image))
        kind = self.pick(o.MaxPool, o.AveragePool)
        return kind(window, small, self.pick("valid", "same"))(x)  # type: ignore[operator]

    def reduce(self, x: Value) -> Value | None:
        """A reduction that leaves the batch."""
        if x.ndim < 3:
            return None
        axes = sorted(
            self.random.choice(range(1, x.ndim), self.random.integers(1, x.ndim - 1), False)
        )
        kind = self.pick(o.ReduceMean, o.ReduceMax, o.ReduceMin)
        return kind(tuple(int(a) for a in axes), bool(self.random.random() < 0.5))(x)  # type: ignore[operator]

    def slice(self, x: Value) -> Value | None:
        """A part along one axis, from a concatenation with another one."""
        axis = int(self.random.integers(1, x.ndim))
        length = int(x.shape[axis])
        if length < 2:
            return None
        start = int(self.random.integers(0, length - 1))
        stop = int(self.random.integers(start + 1, length + 1))
        if self.random.random() < 0.5:
            return o.slice_axis(x, axis, start, stop)
        step = tuple(2 if i == axis else 1 for i in range(x.ndim))
        return o.Slice((0,) * x.ndim, x.shape, step)(x)

    def concatenate(self, x: Value) -> Value | None:
        """Side by side with another value, or with a part of the same one."""
        axis = int(self.random.integers(1, x.ndim))
        rest = (*x.shape[:axis], *x.shape[axis + 1 :])
        alike = [
            v
            for v in self.values
            if v.ndim == x.ndim and (*v.shape[:axis], *v.shape[axis + 1 :]) == rest
        ]
        return o.concatenate([x, alike[self.random.integers(len(alike))]], axis)

    def reverse(self, x: Value) -> Value:
        """Backwards."""
        return o.reverse(x, (int(self.random.integers(1, x.ndim)),))

    def repeat(self, x: Value) -> Value:
        """Larger, by repetition or broadcast."""
        axis = int(self.random.integers(1, x.ndim))
        if x.shape[axis] == 1:
            return o.broadcast_to(x, (*x.shape[:axis], 3, *x.shape[axis + 1 :]))
        return o.repeat(x, 2, axis)

    def softmax(self, x: Value) -> Value:
        """A softmax along any axis but the batch."""
        return o.softmax(x, int(self.random.integers(1, x.ndim)))

    def layer_norm(self, x: Value) -> Value:
        """A normalization by own statistics, of which the variance is not tiny."""
        axis = int(self.random.integers(1, x.ndim))
        width = x.shape[axis]
        return o.LayerNorm((axis,), 0.5)(x, self.weight(width), self.weight(width))

    def recurrent(self, x: Value) -> Value | None:
        """A recurrent layer over steps in any direction."""
        if x.ndim != 3:
            return None
        kind = self.pick(o.LSTM, o.GRU, o.SimpleRNN)
        wide = 3 * kind.gates  # type: ignore[attr-defined]
        x = o.reverse(x, (1,)) if self.random.random() < 0.5 else x
        layer = kind(reverse=bool(self.random.random() < 0.5))  # type: ignore[operator]
        return o.item(
            layer(x, self.weight(x.shape[-1], wide), self.weight(3, wide)), int(self.pick(0, 1))
        )  # type: ignore[call-overload]

    def dropout(self, x: Value) -> Value:
        """Dropout."""
        return o.Dropout(0.5)(x)

    def channels_first(self, x: Value) -> Value | None:
        """A convolution of an image with channels first, in transposes, and a normalization."""
        if x.ndim != 4:
            return None
        result = self.convolution(o.transpose(x, (0, 2, 3, 1)))
        if result is None:
            return None
        result = o.transpose(result, (0, 3, 1, 2))
        width = result.shape[1]
        if self.random.random() < 0.5:
            result = self.pool(o.transpose(result, (0, 2, 3, 1))) or result
            result = o.transpose(result, (0, 3, 1, 2)) if result.shape[3] == width else result
        if result.shape[1] != width:
            return result
        return o.BatchNorm(1)(result, self.weight(width), self.weight(width, low=0.3))

    def flat_dense(self, x: Value) -> Value:
        """A dense on the whole sample."""
        return self.dense(o.reshape(x, (N, int(np.prod(x.shape[1:])))))

    def split(self, x: Value) -> Value | None:
        """Two parts side by side again, the first one changed or not."""
        length = int(x.shape[-1])
        if length < 2:
            return None
        place = int(self.random.integers(1, length))
        left = o.slice_axis(x, x.ndim - 1, 0, place)
        left = o.Relu()(left) if self.random.random() < 0.5 else left
        right = o.slice_axis(x, x.ndim - 1, place, length)
        return o.concatenate([left, right], x.ndim - 1)

    def twice(self, x: Value) -> Value:
        """The same function computed twice."""
        return o.add(o.Tanh()(x), o.Tanh()(x))


_OFTEN = (
    Grower.convolution, Grower.dense, Grower.batch_norm, Grower.activation, Grower.with_constant,
    Grower.with_other, Grower.transpose, Grower.reshape,
)  # fmt: skip
STEPS: tuple[Callable[[Grower, Value], Value | None], ...] = (
    *_OFTEN, *_OFTEN, Grower.spelled, Grower.pad, Grower.pool, Grower.reduce, Grower.slice,
    Grower.concatenate, Grower.reverse, Grower.repeat, Grower.softmax, Grower.layer_norm,
    Grower.recurrent, Grower.dropout, Grower.channels_first, Grower.channels_first,
    Grower.flat_dense, Grower.split, Grower.twice,
)  # fmt: skip


def random_graph(seed: int, steps: int = 20, dtype: str = "f32") -> Graph:
    """The graph number `seed`."""
    return Grower(seed, dtype).graph(steps)
