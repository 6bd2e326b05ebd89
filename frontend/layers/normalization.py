"""Normalization by moving averages of the training data, or by the statistics of each sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.activations import axis_of
from kerac.constraints import Constraint
from kerac.initializers import Initializer, Start
from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError
from kerac.layers.base import Layer, as_float
from kerac.regularizers import Regularizer
from kerac.tracing import traced


class BatchNormalization(Layer):
    """(inputs - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta along `axis`."""

    supports_masking = True

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Start = "zeros"
    gamma_initializer: Start = "ones"
    moving_mean_initializer: Start = "zeros"
    moving_variance_initializer: Start = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    renorm: bool = False
    renorm_clipping: dict[str, Any] | None = None
    renorm_momentum: float = 0.99
    synchronized: bool = False

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        axis = arguments.get("axis")
        # a list in the files of Keras 2
        if isinstance(axis, list | tuple) and len(axis) == 1:
            arguments["axis"] = axis[0]
        for name in ("fused", "virtual_batch_size", "adjustment"):
            if not arguments.get(name):
                arguments.pop(name, None)
        return super().modernize(arguments)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (_length(input_shape, self.axis),)
        self.gamma = self.add_weight("gamma", shape, self.gamma_initializer) if self.scale else None
        self.beta = self.add_weight("beta", shape, self.beta_initializer) if self.center else None
        mean, variance = self.moving_mean_initializer, self.moving_variance_initializer
        self.moving_mean = self.add_weight("moving_mean", shape, mean, trainable=False)
        self.moving_variance = self.add_weight("moving_variance", shape, variance, trainable=False)
        if self.renorm:
            deviation = SquareRoot(variance)
            self.moving_stddev = self.add_weight("moving_stddev", shape, deviation, trainable=False)
            self.renorm_mean = self.add_weight("renorm_mean", shape, mean, trainable=False)
            self.renorm_stddev = self.add_weight("renorm_stddev", shape, deviation, trainable=False)

    def call(self, inputs: Value, mask: Value | None = None) -> Value:
        x = as_float(inputs)
        return ops.BatchNorm(axis_of(self.axis, x), self.epsilon)(
            x,
            traced(self.moving_mean),
            traced(self.moving_variance),
            traced(self.gamma),
            traced(self.beta),
        )


class SquareRoot(Initializer):
    """The square roots of what another initializer makes."""

    start: Start

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        return np.sqrt(self.start.make(shape, generator))


class LayerNormalization(Layer):
    """(inputs - mean) / sqrt(variance + epsilon) * gamma + beta.

    Mean and variance are those of each sample over the axes `axis`. With `rms_scaling` it is
    inputs / sqrt(variance + epsilon) * gamma.
    """

    supports_masking = True

    axis: int | list[int] = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Start = "zeros"
    gamma_initializer: Start = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    rms_scaling: bool = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # as Keras sorts them: -1 before 1
        self.axis = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        shape = tuple(_length(input_shape, axis) for axis in self.axis)
        self.gamma = self.beta = None
        if self.scale or self.rms_scaling:
            self.gamma = self.add_weight("gamma", shape, self.gamma_initializer)
        if self.center and not self.rms_scaling:
            self.beta = self.add_weight("beta", shape, self.beta_initializer)

    def call(self, inputs: Value) -> Value:
        x = as_float(inputs)
        given = [self.axis] if isinstance(self.axis, int) else self.axis
        axes = tuple(sorted({axis_of(axis, x) for axis in given}))
        shape = tuple(x.shape[axis] for axis in axes)
        gamma, beta = (
            None if weight is None else ops.reshape(traced(weight), shape)
            for weight in (self.gamma, self.beta)
        )
        if not self.rms_scaling:
            return ops.LayerNorm(axes, self.epsilon)(x, gamma, beta)
        centred = ops.subtract(x, ops.reduce_mean(x, axes, keepdims=True))
        variance = ops.reduce_mean(ops.multiply(centred, centred), axes, keepdims=True)
        scaled = ops.multiply(x, ops.Rsqrt()(ops.add(variance, self.epsilon)))
        wide = tuple(dim if axis in axes else 1 for axis, dim in enumerate(x.shape))
        return ops.multiply(scaled, ops.reshape(gamma, wide))  # type: ignore[arg-type]


def _length(shape: tuple[int | None, ...], axis: int) -> int | None:
    """The length of an axis, which may be negative."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"axis {axis} does not exist; the input has {len(shape)} axes")
    return shape[axis]
