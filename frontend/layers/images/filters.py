"""Images sharpened, blurred, with parts missing, and with contrast as good as can be."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.data_format import GivenDataFormat
from kerac.layers.images.base import BYTES, Drawn, ImageLayer, Interval, clip, interval, rescaled
from kerac.layers.images.sampling import grid, length
from kerac.layers.random_numbers import normal, uniform

Box = tuple[Value, Value, Value, Value]
"""Left, right, top and bottom of a part of each image, f32[N, 1, 1] each."""


class RandomSharpness(ImageLayer):
    """Images mixed with themselves smoothed; a factor of 0.5 leaves them as they are."""

    factor: Any
    value_range: Interval = BYTES
    data_format: GivenDataFormat = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 0, 1)

    def draw(self, images: Value) -> Drawn:
        return {"factor": self.between(images, self.factor, (1, 1, 1))}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        channels = images.shape[-1]
        kernel = np.full((3, 3, 1, channels), 1 / 13, np.float32)
        kernel[1, 1] = 5 / 13
        smoothing = ops.Convolution(padding=((1, 1), (1, 1)), groups=channels)
        away = ops.subtract(smoothing(images, ops.constant(kernel)), images)
        share = ops.add(ops.multiply(drawn["factor"], -2.0), 1.0)
        return clip(ops.add(images, ops.multiply(share, away)), self.value_range)


class RandomGaussianBlur(ImageLayer):
    """Some images blurred, all by the same two deviations, across and down."""

    factor: Any = 1.0
    kernel_size: Any = 3
    sigma: Any = 1.0
    value_range: Interval = BYTES
    data_format: GivenDataFormat = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 0, 1)
        self.sigma = interval(self, "sigma", 0, 1)
        given = self.kernel_size
        sizes = (given, given) if isinstance(given, int) else tuple(given)
        if len(sizes) != 2 or any(not isinstance(n, int) or n < 1 or n % 2 == 0 for n in sizes):
            raise CompileError(
                f"RandomGaussianBlur {self.name!r}: kernel_size is {given!r:.40}, "
                "but must be one or two odd numbers"
            )
        self.kernel_size = sizes

    def draw(self, images: Value) -> Drawn:
        low, high = self.sigma
        drawn = ops.multiply(uniform((2,), self.seed), high - low)
        return {
            "apply": self.chosen(images, self.factor),
            "sigma": ops.add(drawn, low + 1e-6),
        }

    def transform(self, images: Value, drawn: Drawn) -> Value:
        blurred = images
        for place, (axis, size) in enumerate(zip((2, 1), self.kernel_size, strict=True)):
            weights = _bell(size, ops.slice_axis(drawn["sigma"], 0, place, place + 1))
            blurred = _weighted(blurred, axis, size, weights)
        return clip(ops.select(drawn["apply"], blurred, images), self.value_range)


def _bell(size: int, sigma: Value) -> Value:
    """f32[size]: a normal distribution around the middle; the sum is 1."""
    places = ops.constant(np.arange(size, dtype=np.float32) - (size - 1) / 2)
    ratios = ops.divide(places, sigma)
    heights = ops.Exp()(ops.multiply(ops.multiply(ratios, ratios), -0.5))
    return ops.divide(heights, ops.reduce_sum(heights, (0,), keepdims=True))


def _weighted(images: Value, axis: int, size: int, weights: Value) -> Value:
    """Each pixel the weighted sum of those around it along an axis; outside is 0."""
    half = size // 2
    pairs = tuple((half, half) if place == axis else (0, 0) for place in range(4))
    padded = ops.Pad(pairs)(images) if half else images
    total: Value | None = None
    for place in range(size):
        part = ops.slice_axis(padded, axis, place, place + images.shape[axis])
        weighted = ops.multiply(part, ops.slice_axis(weights, 0, place, place + 1))
        total = weighted if total is None else ops.add(total, weighted)
    assert total is not None  # noqa: S101
    return total


def random_box(layer: ImageLayer, images: Value, ratios: tuple[Value, Value]) -> Box:
    """A place for a part of each image; `ratios`, f32[N, 1, 1], are of its width and height."""
    _, height, width, _ = images.shape
    ends: list[Value] = []
    for dim, ratio in zip((width, height), ratios, strict=True):
        extent = ops.multiply(ratio, length(dim))
        free = ops.add(ops.Negative()(extent), length(dim))
        start = ops.multiply(layer.between(images, (0.0, 1.0), (1, 1)), free)
        ends += [start, ops.add(start, extent)]
    left, right, top, bottom = ends
    return left, right, top, bottom


def inside_box(images: Value, box: Box) -> Value:
    """bool[N, H, W, 1]: which pixels lie in a part."""
    columns, rows = grid(images)
    left, right, top, bottom = box

    def within(place: Value, low: Value, high: Value) -> Value:
        return ops.LogicalAnd()(ops.GreaterEqual()(place, low), ops.Less()(place, high))

    mask = ops.LogicalAnd()(within(columns, left, right), within(rows, top, bottom))
    return ops.reshape(mask, (*mask.shape, 1))


class RandomErasing(ImageLayer):
    """A rectangle of some images becomes `fill_value`, or noise."""

    factor: Any = 1.0
    scale: Any = (0.02, 0.33)
    fill_value: Any = None
    value_range: Interval = BYTES
    seed: int | None = None
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 0, 1)
        self.scale = interval(self, "scale", 0, 1)
        given = self.fill_value
        several = isinstance(given, tuple | list) and len(given) == 3
        single = isinstance(given, int | float) and not isinstance(given, bool)
        if given is not None and not single and not several:
            raise CompileError(
                f"RandomErasing {self.name!r}: fill_value is {given!r:.40}, "
                "but must be a number or three, or None"
            )

    def draw(self, images: Value) -> Drawn:
        ratios = [ops.Sqrt()(self.between(images, self.scale, (1, 1))) for _ in range(2)]
        drawn: Drawn = {
            "box": random_box(self, images, (ratios[0], ratios[1])),
            "apply": self.chosen(images, self.factor),
        }
        if self.fill_value is None:
            noise = ops.multiply(normal(images.shape, self.seed), self.value_range[1])
            drawn["fill"] = noise
        return drawn

    def transform(self, images: Value, drawn: Drawn) -> Value:
        fill = drawn.get("fill")
        if fill is None:
            fill = ops.constant(np.array(self.fill_value, np.float32))
        erased = ops.LogicalAnd()(inside_box(images, drawn["box"]), drawn["apply"])
        return ops.select(erased, clip(fill, self.value_range), images)


class AutoContrast(ImageLayer):
    """Each channel of an image stretched over the whole range, in inference, too."""

    always: ClassVar[bool] = True

    value_range: Interval = BYTES

    def __post_init__(self) -> None:
        super().__post_init__()
        self.value_range = min(self.value_range), max(self.value_range)

    def transform(self, images: Value, drawn: Drawn) -> Value:
        values = rescaled(images, self.value_range, BYTES)
        low = ops.ReduceMin((1, 2), True)(values)
        high = ops.reduce_max(values, (1, 2), True)
        extent = ops.subtract(high, low)
        flat = ops.binary(ops.Equal(), extent, 0.0)
        scale = ops.divide(ops.constant(255.0, "f32"), extent)
        stretched = clip(ops.multiply(ops.subtract(values, low), scale), BYTES)
        return ops.select(flat, images, rescaled(stretched, BYTES, self.value_range))


class Equalization(ImageLayer):
    """Each channel with all values about equally often, counted over the whole batch."""

    value_range: Interval = BYTES
    bins: int = 256
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.value_range = min(self.value_range), max(self.value_range)

    def transform(self, images: Value, drawn: Drawn) -> Value:
        if not isinstance(images.shape[-1], int):
            raise ShapeError(f"the number of channels must be known, but is {images.shape[-1]}")
        values = rescaled(images, self.value_range, BYTES)
        channels = [
            self._equalized(ops.slice_axis(values, 3, channel, channel + 1))
            for channel in range(images.shape[-1])
        ]
        return rescaled(ops.concatenate(channels, 3), BYTES, self.value_range)

    def _equalized(self, channel: Value) -> Value:
        scaled = ops.multiply(channel, (self.bins - 1) / 255)
        numbers = ops.cast(clip(scaled, (0, self.bins - 1)), "i32")
        count = channel.tensor_type.size
        flat = ops.reshape(numbers, (count,))
        ones = ops.broadcast_to(ops.constant(1.0, "f32"), (count, 1))
        histogram = ops.reshape(ops.scatter_add(flat, ones, self.bins), (1, self.bins))
        used = ops.cast(ops.binary(ops.Greater(), histogram, 0.0), "f32")
        # sums of all bins up to each one, by a product with a triangle of ones
        triangle = np.triu(np.ones((self.bins, self.bins), np.float32))
        sums = ops.dense(histogram, ops.constant(triangle))
        total = length(count)
        first = ops.ReduceMin((1,), True)(
            ops.select(ops.binary(ops.Greater(), sums, 0.0), sums, total)
        )
        extent = ops.maximum(ops.subtract(total, first), 1.0)
        levels = ops.divide(ops.multiply(ops.subtract(sums, first), 255.0), extent)
        table = ops.reshape(clip(ops.Round()(levels), BYTES), (self.bins,))
        flat_colored = ops.binary(ops.LessEqual(), ops.reduce_sum(used, (1,)), 1.0)
        return ops.select(flat_colored, channel, ops.gather(table, numbers))
