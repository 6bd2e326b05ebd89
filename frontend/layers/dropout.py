"""Layers that disturb their input in training and pass it on in inference."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.base import Layer
from kerac.layers.data_format import GivenDataFormat
from kerac.layers.random_numbers import dropped, is_random, normal, uniform
from kerac.regularizers import L1L2
from kerac.saving.config import SerializedObject

SELU_BOUND = 1.6732632423543772 * 1.0507009873554805


class _Random(Layer):
    """Base of layers that draw random numbers from a seed."""

    supports_masking = True

    seed: int | None = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if isinstance(arguments.get("seed"), SerializedObject):
            arguments["seed"] = arguments["seed"].config.get("seed")
        return arguments

    def call(self, inputs: Value) -> Any:
        return inputs


class Dropout(_Random):
    """A share `rate` of the elements is 0 in training, and the others are larger.

    In inference it is x itself. `noise_shape` has 1 along axes where elements are dropped together.
    """

    rate: float
    noise_shape: tuple[int | None, ...] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        check_share(self, "rate", self.rate)
        if any(length is not None and length < 1 for length in self.noise_shape or ()):
            raise CompileError(
                f"Dropout {self.name!r}: noise_shape is {self.noise_shape}, but must be positive"
            )

    def shared_axes(self, inputs: Value) -> tuple[int, ...]:
        """Axes along which elements are dropped together."""
        shape = self.noise_shape or ()
        if shape and len(shape) != inputs.ndim:
            raise ShapeError(
                f"noise_shape {shape} has {len(shape)} axes, but the input is {inputs.type}"
            )
        return tuple(
            axis for axis, length in enumerate(shape) if length == 1 and inputs.shape[axis] != 1
        )

    def call(self, inputs: Value) -> Any:
        return dropped(inputs, self.rate, self.seed, self.shared_axes(inputs))


class _SpatialDropout(_Random):
    """Base: whole feature maps are dropped together."""

    spatial: ClassVar[int]

    rate: float

    def __post_init__(self) -> None:
        check_share(self, "rate", self.rate)

    def first_axis(self) -> int:
        """The first of the axes along which elements are dropped together."""
        return 1

    def call(self, inputs: Value) -> Any:
        if inputs.ndim != self.spatial + 2:
            raise ShapeError(f"the input must have {self.spatial + 2} axes, but is {inputs.type}")
        shared = tuple(range(self.first_axis(), self.first_axis() + self.spatial))
        return dropped(inputs, self.rate, self.seed, shared)

    def get_config(self) -> dict[str, Any]:
        # Keras takes no other arguments, not even `trainable`.
        config = super().get_config() | {"dtype": self.dtype}
        names = ("rate", "seed", "name", "dtype", "data_format")
        return {name: config[name] for name in names if name in config}


class SpatialDropout1D(_SpatialDropout):
    """Drops whole features of sequences f32[N, T, C] in training."""

    spatial = 1

    rate: float
    seed: int | None = None
    name: str | None = None
    dtype: Any = "float32"


class _OfFeatureMaps(_SpatialDropout):
    """Base: the layout is an argument."""

    rate: float
    data_format: GivenDataFormat = None
    seed: int | None = None
    name: str | None = None
    dtype: Any = "float32"

    def first_axis(self) -> int:
        return 2 if self.data_format == "channels_first" else 1


class SpatialDropout2D(_OfFeatureMaps):
    """Drops whole feature maps of images in training."""

    spatial = 2


class SpatialDropout3D(_OfFeatureMaps):
    """Drops whole feature maps of volumes in training."""

    spatial = 3


class GaussianNoise(_Random):
    """Adds normally distributed noise in training."""

    stddev: float
    seed: int | None = None

    def __post_init__(self) -> None:
        check_share(self, "stddev", self.stddev)

    def call(self, inputs: Value) -> Any:
        if not is_random() or self.stddev == 0:
            return inputs
        return ops.add(inputs, ops.multiply(_noise(inputs, self.seed), self.stddev))


class GaussianDropout(_Random):
    """Multiplies by normally distributed noise of mean 1 in training."""

    rate: float
    seed: int | None = None

    def __post_init__(self) -> None:
        check_share(self, "rate", self.rate)

    def call(self, inputs: Value) -> Any:
        if not is_random() or self.rate == 0:
            return inputs
        deviation = math.sqrt(self.rate / (1 - self.rate)) if self.rate < 1 else math.inf
        noise = ops.multiply(_noise(inputs, self.seed), deviation)
        return ops.multiply(inputs, ops.add(noise, 1.0))


class AlphaDropout(_Random):
    """Dropout that keeps mean and variance, for SELU: what is dropped becomes its lower bound."""

    rate: float
    noise_shape: tuple[int | None, ...] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        check_share(self, "rate", self.rate)

    def call(self, inputs: Value) -> Any:
        if not is_random() or not 0 < self.rate < 1:
            return inputs
        given = self.noise_shape or (None,) * inputs.ndim
        shape = tuple(
            dim if length is None else length
            for dim, length in zip(inputs.shape, given, strict=True)
        )
        kept = ops.GreaterEqual()(uniform(shape, self.seed), ops.constant(self.rate, "f32"))
        bound = ops.constant(-SELU_BOUND, inputs.dtype)
        x = ops.select(ops.broadcast_to(kept, inputs.shape), inputs, bound)
        factor = ((1 - self.rate) * (1 + self.rate * SELU_BOUND**2)) ** -0.5
        return ops.add(ops.multiply(x, factor), factor * SELU_BOUND * self.rate)


def _noise(inputs: Value, seed: int | None) -> Value:
    """Normally distributed random numbers like the inputs."""
    return ops.cast(normal(inputs.shape, seed), inputs.dtype)


class ActivityRegularization(Layer):
    """Adds a penalty on its input in training."""

    supports_masking = True

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        self.activity_regularizer = L1L2(self.l1, self.l2)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer")
        return config

    def call(self, inputs: Value) -> Any:
        return inputs


def check_share(layer: Layer, name: str, value: float) -> None:
    """`value` must lie between 0 and 1."""
    if not 0 <= value <= 1:
        raise CompileError(
            f"{type(layer).__name__} {layer.name!r}: {name} is {value}, "
            "but must lie between 0 and 1"
        )
