"""Networks as layers are traced: every layer an op of its own, channels first or last."""

import numpy as np

from kerac.ir import Graph, Origin, TensorType, Value, origin_scope, symbol
from kerac.ir import ops as o

N = symbol("N")


class Builder:
    """Makes layers with random weights; with `first` every image has its channels first."""

    def __init__(self, first: bool = False) -> None:
        self.first = first
        self.random = np.random.default_rng(0)
        self.count = 0

    def layer(self, kind: str):
        """The scope of one more layer."""
        self.count += 1
        self.path = f"{kind}_{self.count}"
        return origin_scope(Origin((self.path,)))

    def weight(self, name: str, *shape: int, low: float = -1.0, high: float = 1.0) -> Value:
        array = self.random.uniform(low, high, shape).astype(np.float32)
        return o.parameter(f"{self.path}/{name}", array, name)

    def image(self, size: int, channels: int) -> Value:
        shape = (N, channels, size, size) if self.first else (N, size, size, channels)
        return o.graph_input("image", TensorType("f32", shape))

    def channels(self, x: Value) -> int:
        return x.shape[1 if self.first else -1]

    def last(self, x: Value) -> Value:
        return o.transpose(x, (0, 2, 3, 1)) if self.first else x

    def back(self, x: Value) -> Value:
        return o.transpose(x, (0, 3, 1, 2)) if self.first else x

    def convolution(
        self,
        x: Value,
        filters: int,
        window: int,
        stride: int = 1,
        padding: str = "same",
        bias: bool = True,
    ) -> Value:
        with self.layer("conv"):
            channels = self.channels(x)
            scale = 1.5 * (window * window * channels) ** -0.5
            kernel = self.weight(
                "kernel", window, window, channels, filters, low=-scale, high=scale
            )
            y = self.back(o.Convolution(None, (stride,) * 2, padding)(self.last(x), kernel))
            if not bias:
                return y
            vector = self.weight("bias", filters)
            shape = (1, filters, 1, 1) if self.first else (filters,)
            return o.add(y, o.reshape(vector, shape))

    def depthwise(self, x: Value, stride: int, padding: str) -> Value:
        with self.layer("depthwise"):
            channels = self.channels(x)
            kernel = self.weight("kernel", 3, 3, 1, channels, low=-0.5, high=0.5)
            op = o.Convolution(None, (stride,) * 2, padding, (), channels)
            return self.back(op(self.last(x), kernel))

    def norm(self, x: Value) -> Value:
        with self.layer("bn"):
            width = self.channels(x)
            gamma, beta, mean = (self.weight(name, width) for name in ("gamma", "beta", "mean"))
            variance = self.weight("variance", width, low=0.5, high=1.5)
            return o.BatchNorm(1 if self.first else 3)(x, mean, variance, gamma, beta)

    def activation(self, x: Value, op: o.Unary | None = None) -> Value:
        with self.layer("act"):
            return (op or o.Relu())(x)

    def pad(self, x: Value, before: int, after: int) -> Value:
        with self.layer("pad"):
            pairs = ((before, after),) * 2
            return o.Pad(((0, 0), (0, 0), *pairs) if self.first else ((0, 0), *pairs, (0, 0)))(x)

    def pool(self, x: Value, kind: type, window: int, stride: int) -> Value:
        with self.layer("pool"):
            return self.back(kind((window,) * 2, (stride,) * 2)(self.last(x)))

    def add(self, x: Value, y: Value) -> Value:
        with self.layer("add"):
            return o.add(x, y)

    def concatenate(self, *values: Value) -> Value:
        with self.layer("concat"):
            return o.concatenate(list(values), 1 if self.first else 3)

    def head(self, x: Value, classes: int) -> tuple[Value]:
        with self.layer("mean"):
            x = o.reduce_mean(x, (2, 3) if self.first else (1, 2))
        with self.layer("predictions"):
            kernel = self.weight("kernel", x.shape[-1], classes, low=-0.1, high=0.1)
            x = o.add(o.dense(x, kernel), self.weight("bias", classes))
            return (o.softmax(x, 1),)


def resnet(
    blocks: tuple[int, ...] = (3, 4, 6, 3), width: int = 64, size: int = 224, first: bool = False
) -> Graph:
    """ResNet with bottlenecks, as in keras.applications."""
    b = Builder(first)
    image = b.image(size, 3)
    x = b.pad(image, 3, 3)
    x = b.activation(b.norm(b.convolution(x, width, 7, 2, "valid")))
    x = b.pool(b.pad(x, 1, 1), o.MaxPool, 3, 2)
    for stage, count in enumerate(blocks):
        filters = width * 2**stage
        for block in range(count):
            stride = 2 if block == 0 and stage else 1
            skip = x
            if block == 0:
                skip = b.norm(b.convolution(x, 4 * filters, 1, stride, "valid"))
            x = b.activation(b.norm(b.convolution(x, filters, 1, stride, "valid")))
            x = b.activation(b.norm(b.convolution(x, filters, 3)))
            x = b.norm(b.convolution(x, 4 * filters, 1, 1, "valid"))
            x = b.activation(b.add(skip, x))
    return Graph("resnet", (image,), b.head(x, 10), ("predictions",))


def densenet(
    blocks: tuple[int, ...] = (6, 12, 24, 16),
    growth: int = 32,
    size: int = 224,
    first: bool = False,
) -> Graph:
    """DenseNet: normalization and activation before each convolution."""
    b = Builder(first)
    image = b.image(size, 3)
    x = b.activation(
        b.norm(b.convolution(b.pad(image, 3, 3), 2 * growth, 7, 2, "valid", bias=False))
    )
    x = b.pool(b.pad(x, 1, 1), o.MaxPool, 3, 2)
    for place, count in enumerate(blocks):
        for _ in range(count):
            y = b.convolution(b.activation(b.norm(x)), 4 * growth, 1, bias=False)
            y = b.convolution(b.activation(b.norm(y)), growth, 3, bias=False)
            x = b.concatenate(x, y)
        if place < len(blocks) - 1:
            x = b.convolution(b.activation(b.norm(x)), b.channels(x) // 2, 1, bias=False)
            x = b.pool(x, o.AveragePool, 2, 2)
    return Graph("densenet", (image,), b.head(b.activation(b.norm(x)), 10), ("predictions",))


def mobilenet(blocks: int = 4, width: int = 8, size: int = 32, first: bool = False) -> Graph:
    """Inverted residuals with squeeze and excitation, and MobileNetV3's activations spelled out."""
    b = Builder(first)
    image = b.image(size, 3)
    x = o.add(o.multiply(image, 1 / 127.5), -1.0)
    x = b.activation(
        b.norm(b.convolution(b.pad(x, 0, 1), width, 3, 2, "valid", bias=False)), o.Relu6()
    )
    for block in range(blocks):
        stride = 2 if block % 2 else 1
        y = b.activation(b.norm(b.convolution(x, 3 * width, 1, bias=False)), o.Relu6())
        if stride == 2:
            y = b.pad(y, 0, 1)
        y = b.norm(b.depthwise(y, stride, "valid" if stride == 2 else "same"))
        y = o.multiply(y, o.multiply(o.Relu6()(o.add(y, 3.0)), 1 / 6))
        y = excite(b, y)
        y = b.norm(b.convolution(y, width, 1, bias=False))
        x = b.add(x, y) if stride == 1 else y
    return Graph("mobilenet", (image,), b.head(x, 10), ("predictions",))


def excite(b: Builder, x: Value) -> Value:
    """Scale each channel by what the mean of the image says."""
    channels = b.channels(x)
    with b.layer("squeeze"):
        y = o.reduce_mean(x, (2, 3) if b.first else (1, 2))
        y = o.reshape(y, (N, channels, 1, 1) if b.first else (N, 1, 1, channels))
    y = b.activation(b.convolution(y, channels // 4, 1))
    y = b.activation(b.convolution(y, channels, 1), o.HardSigmoid())
    with b.layer("excite"):
        return o.multiply(x, y)
