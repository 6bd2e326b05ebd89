"""More elements along spatial axes: repeated, or interpolated between the given ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.dims import Dim, DimLike
from kerac.layers.base import Layer, as_wide
from kerac.layers.data_format import GivenDataFormat, from_last, spatial_axes, to_last
from kerac.layers.spatial import Sizes, check_ndim, sizes

Array = np.ndarray[Any, np.dtype[Any]]


class UpSampling(Layer, registered=False):
    """Every element `size` times in a row along each spatial axis.

    inputs: t[N, *spatial, C] -> t[N, *more, C]
    """

    rank: ClassVar[int]

    size: Sizes = 2

    def __post_init__(self) -> None:
        self.size = sizes(self, "size", self.rank)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_ndim(input_shape, self.rank + 2)

    def axes(self) -> tuple[int, ...]:
        """The spatial axes."""
        return spatial_axes(self.rank + 2, None)

    def call(self, inputs: Value) -> Value:
        x = inputs
        for axis, count in zip(self.axes(), self.size, strict=True):  # type: ignore[arg-type]
            x = ops.repeat(x, count, axis)
        return x


class UpSampling1D(UpSampling):
    """Longer sequences."""

    rank = 1

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"size": self.size[0]}  # type: ignore[index]


class UpSampling2D(UpSampling):
    """Larger images; `interpolation` other than "nearest" takes pixels as areas, not as points."""

    rank = 2

    data_format: GivenDataFormat = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"] = "nearest"

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if isinstance(arguments.get("interpolation"), str):
            arguments["interpolation"] = arguments["interpolation"].lower()
        return super().modernize(arguments)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data_format = self.data_format or "channels_last"

    def axes(self) -> tuple[int, ...]:
        return spatial_axes(self.rank + 2, self.data_format)

    def call(self, inputs: Value) -> Value:
        if self.interpolation == "nearest":
            return super().call(inputs)
        x = to_last(as_wide(inputs), self.data_format)
        larger = interpolate(x, self.size, self.interpolation)  # type: ignore[arg-type]
        return self.as_result(from_last(larger, self.data_format))


class UpSampling3D(UpSampling):
    """Larger volumes."""

    rank = 3

    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data_format = self.data_format or "channels_last"

    def axes(self) -> tuple[int, ...]:
        return spatial_axes(self.rank + 2, self.data_format)


def interpolate(x: Value, factors: tuple[int, int], interpolation: str) -> Value:
    """x: f32[N, H, W, C] -> f32[N, H*fH, W*fW, C], each pixel from those around it.

    Every fH * fW pixels of the result lie around one of x in the same way, so that a depthwise
    convolution makes them, as that many results a channel.
    """
    batch, height, width, channels = x.shape
    rows, columns = (phase_weights(factor, interpolation) for factor in factors)
    phases = np.einsum("hp,wq->hwpq", rows, columns).reshape(len(rows), len(columns), 1, -1)
    kernel = ops.constant(np.tile(phases, (1, 1, 1, channels)), x.dtype)
    padding = tuple((len(weights) // 2, len(weights) // 2) for weights in (rows, columns))
    pixels = ops.Convolution(padding=padding, groups=channels)(x, kernel)
    apart = ops.reshape(pixels, (batch, height, width, channels, *factors))
    # N H W C fH fW -> N H fH W fW C
    ordered = ops.transpose(apart, (0, 1, 4, 2, 5, 3))
    larger = ops.reshape(ordered, (batch, height * factors[0], width * factors[1], channels))
    for axis, weights in ((1, rows), (2, columns)):
        larger = ops.divide(larger, ops.cast(border_sums(x.shape[axis], weights, axis), x.dtype))
    return larger


def phase_weights(factor: int, interpolation: str) -> Array:
    """How much the 2*radius + 1 elements around one count for each of the `factor` new ones."""
    radius, curve = CURVES[interpolation]
    # the centres of the new elements, seen from the centre of the old one
    centres = (np.arange(factor) + 0.5) / factor - 0.5
    weights: Array = curve(np.abs(np.arange(-radius, radius + 1)[:, None] - centres))
    normalized: Array = weights / weights.sum(0)
    return normalized


def border_sums(length: DimLike, weights: Array, axis: int) -> Value:
    """The sums of the weights that fall inside an axis, in a shape to divide t[N, H, W, C] by."""
    taps, factor = weights.shape
    inside = weights.astype(np.float32).reshape(taps, 1, factor)
    many = (1, *(length * factor if place == axis else 1 for place in (1, 2)), 1)
    convolution = ops.Convolution(padding=((taps // 2, taps // 2),))
    if isinstance(length, Dim):
        ones = ops.broadcast_to(ops.constant(1.0, "f32"), (1, length, 1))
        return ops.reshape(convolution(ones, ops.constant(inside)), many)
    sums = convolution.evaluate(np.ones((1, length, 1), np.float32), inside)
    return ops.constant(sums.reshape(many))


def _triangle(distance: Array) -> Array:
    weights: Array = np.maximum(0, 1 - distance)
    return weights


def _cubic(distance: Array) -> Array:
    near = ((1.5 * distance - 2.5) * distance) * distance + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


def _lanczos(radius: int) -> Callable[[Array], Array]:
    return lambda distance: np.where(
        distance < radius, np.sinc(distance) * np.sinc(distance / radius), 0
    )


# How many elements far a curve reaches, and the curve (Keys, 1981, for the cubic one).
CURVES: dict[str, tuple[int, Callable[[Array], Array]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
}
