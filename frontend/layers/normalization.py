"""Normalization by the statistics of each sample."""

from __future__ import annotations

from kerac.activations import axis_of
from kerac.constraints import Constraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError
from kerac.layers.base import Layer, as_float
from kerac.regularizers import Regularizer
from kerac.tracing import traced


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
        shape = tuple(length_of(input_shape, axis) for axis in self.axis)
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


def length_of(shape: tuple[int | None, ...], axis: int) -> int | None:
    """The length of an axis, which may be negative."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"axis {axis} does not exist; the input has {len(shape)} axes")
    return shape[axis]
