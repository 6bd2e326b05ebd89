"""Normalization by the statistics of each sample."""

from __future__ import annotations

from typing import Any, ClassVar

from kerac.activations import axis_of
from kerac.constraints import MaybeConstraint
from kerac.initializers import Constant, Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.base import Layer, as_float, as_wide
from kerac.layers.merging import broadcastable, unit_length
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import traced


def __getattr__(name: str) -> Any:
    """BatchNormalization, which old scripts import from here."""
    if name == "BatchNormalization":
        from kerac.layers.batch_normalization import BatchNormalization

        return BatchNormalization
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class LayerNormalization(Layer):
    """(inputs - mean) / sqrt(variance + epsilon) * gamma + beta.

    Mean and variance are those of each sample over the axes `axis`. With `rms_scaling` it is
    inputs / sqrt(variance + epsilon) * gamma.
    """

    supports_masking = True
    autocast = False

    axis: int | list[int] = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Start = "zeros"
    gamma_initializer: Start = "ones"
    beta_regularizer: MaybeRegularizer = None
    gamma_regularizer: MaybeRegularizer = None
    beta_constraint: MaybeConstraint = None
    gamma_constraint: MaybeConstraint = None
    rms_scaling: bool = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # as Keras sorts them: -1 before 1
        self.axis = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        shape = tuple(length_of(input_shape, axis) for axis in self.axis)
        self.gamma = self.beta = None
        if self.scale or self.rms_scaling:
            self.gamma = self.add_weight("gamma", shape, self.gamma_initializer, autocast=False)
        if self.center and not self.rms_scaling:
            self.beta = self.add_weight("beta", shape, self.beta_initializer, autocast=False)

    def call(self, inputs: Value) -> Value:
        return self.as_result(self._normalized(as_wide(inputs)))

    def _normalized(self, x: Value) -> Value:
        given = [self.axis] if isinstance(self.axis, int) else self.axis
        axes = tuple(sorted({axis_of(axis, x) for axis in given}))
        shape = tuple(x.shape[axis] for axis in axes)
        gamma, beta = (
            None if weight is None else ops.reshape(ops.cast(traced(weight), x.dtype), shape)
            for weight in (self.gamma, self.beta)
        )
        if not self.rms_scaling:
            return ops.LayerNorm(axes, self.epsilon)(x, gamma, beta)
        centred = ops.subtract(x, ops.reduce_mean(x, axes, keepdims=True))
        variance = ops.reduce_mean(ops.multiply(centred, centred), axes, keepdims=True)
        scaled = ops.multiply(x, ops.Rsqrt()(ops.add(variance, self.epsilon)))
        wide = tuple(dim if axis in axes else 1 for axis, dim in enumerate(x.shape))
        return ops.multiply(scaled, ops.reshape(gamma, wide))  # type: ignore[arg-type]


class GroupNormalization(Layer):
    """(inputs - mean) / sqrt(variance + epsilon) * gamma + beta, statistics of groups of channels.

    Mean and variance are those of each sample over all its axes and the channels of one group;
    `groups` of -1 makes every channel a group.
    """

    supports_masking = True
    autocast = False

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Start = "zeros"
    gamma_initializer: Start = "ones"
    beta_regularizer: MaybeRegularizer = None
    gamma_regularizer: MaybeRegularizer = None
    beta_constraint: MaybeConstraint = None
    gamma_constraint: MaybeConstraint = None

    def __post_init__(self) -> None:
        if self.groups < 1 and self.groups != -1:
            raise CompileError(
                f"GroupNormalization {self.name!r}: groups is {self.groups}, "
                "but must be positive, or -1"
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = length_of(input_shape, self.axis)
        if self.groups == -1:
            self.groups = channels or 1
        if channels is not None and channels % self.groups:
            raise ShapeError(f"{channels} channels do not divide into {self.groups} groups")
        shape = (channels,)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight("gamma", shape, self.gamma_initializer, autocast=False)
        if self.center:
            self.beta = self.add_weight("beta", shape, self.beta_initializer, autocast=False)

    def call(self, inputs: Value) -> Value:
        return self.as_result(self._normalized(as_wide(inputs)))

    def _normalized(self, x: Value) -> Value:
        axis = axis_of(self.axis, x)
        before, channels, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
        grouped = ops.reshape(x, (*before, self.groups, channels // self.groups, *after))
        axes = tuple(place for place in range(1, grouped.ndim) if place != axis)
        result = ops.reshape(ops.LayerNorm(axes, self.epsilon)(grouped), x.shape)
        along = (channels, *(1,) * len(after))
        gamma, beta = (
            None if weight is None else ops.reshape(ops.cast(traced(weight), x.dtype), along)
            for weight in (self.gamma, self.beta)
        )
        scaled = result if gamma is None else ops.multiply(result, gamma)
        return scaled if beta is None else ops.add(scaled, beta)


class RMSNormalization(Layer):
    """inputs / sqrt(mean of squares + epsilon) * scale (Zhang and Sennrich, 2019)."""

    axis: int | list[int] = -1
    epsilon: float = 1e-6

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.axis = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        shape = tuple(length_of(input_shape, axis) for axis in self.axis)
        self.scale = self.add_weight("scale", shape, "ones")

    def call(self, x: Value) -> Value:
        wide = as_wide(x)
        given = [self.axis] if isinstance(self.axis, int) else self.axis
        axes = tuple(sorted({axis_of(axis, x) for axis in given}))
        squares = ops.reduce_mean(ops.Square()(wide), axes, keepdims=True)
        scaled = ops.multiply(wide, ops.Rsqrt()(ops.add(squares, self.epsilon)))
        scale = ops.cast(traced(self.scale), wide.dtype)
        return self.as_result(ops.multiply(*broadcastable([scaled, scale])))


class UnitNormalization(Layer):
    """inputs / sqrt(sum of squares), so that each part along `axis` has the length 1."""

    supports_masking = True

    axis: int | list[int] = -1

    def call(self, inputs: Value) -> Value:
        x = as_wide(inputs)
        given = [self.axis] if isinstance(self.axis, int) else self.axis
        axes = tuple(sorted({axis_of(axis, x) for axis in given}))
        return self.as_result(unit_length(x, axes, 1e-12))


class LayerScale(Layer):
    """inputs * gamma, a weight for each channel (Touvron et al., 2021).

    A layer of the ConvNeXt networks in `keras.applications`.
    """

    module: ClassVar[str] = "keras.src.applications.convnext"

    init_values: float
    projection_dim: int

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        start = Constant(self.init_values)
        self.gamma = self.add_weight("variable", (self.projection_dim,), start)

    def call(self, x: Value) -> Value:
        return ops.multiply(*broadcastable([as_float(x), traced(self.gamma)]))


def length_of(shape: tuple[int | None, ...], axis: int) -> int | None:
    """The length of an axis, which may be negative."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"axis {axis} does not exist; the input has {len(shape)} axes")
    return shape[axis]
