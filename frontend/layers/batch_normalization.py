"""Normalization by moving averages; in training by the statistics of the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.activations import axis_of
from kerac.constraints import MaybeConstraint
from kerac.initializers import Initializer, Start
from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError
from kerac.layers.base import Layer, as_wide
from kerac.layers.masks import align
from kerac.layers.normalization import length_of
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import current_trace, traced, update
from kerac.variable import Variable

FUZZ = 1e-7  # Keras's `backend.epsilon()`


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
    beta_regularizer: MaybeRegularizer = None
    gamma_regularizer: MaybeRegularizer = None
    beta_constraint: MaybeConstraint = None
    gamma_constraint: MaybeConstraint = None
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
        shape = (length_of(input_shape, self.axis),)

        def weight(name: str, start: Any, trainable: bool = False) -> Variable:
            return self.add_weight(name, shape, start, trainable=trainable, autocast=False)

        self.gamma = weight("gamma", self.gamma_initializer, True) if self.scale else None
        self.beta = weight("beta", self.beta_initializer, True) if self.center else None
        mean, variance = self.moving_mean_initializer, self.moving_variance_initializer
        self.moving_mean = weight("moving_mean", mean)
        self.moving_variance = weight("moving_variance", variance)
        if self.renorm:
            deviation = SquareRoot(variance)
            self.moving_stddev = weight("moving_stddev", deviation)
            self.renorm_mean = weight("renorm_mean", mean)
            self.renorm_stddev = weight("renorm_stddev", deviation)

    def call(self, inputs: Value, mask: Value | None = None) -> Value:
        return self.as_result(self._normalized(as_wide(inputs), mask))

    def _normalized(self, x: Value, mask: Value | None) -> Value:
        axis = axis_of(self.axis, x)
        gamma, beta, mean, variance = (
            None if weight is None else ops.cast(traced(weight), x.dtype)
            for weight in (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        )
        if current_trace().training and self.trainable:
            mean, variance = self.moments(x, axis, mask)
            if self.renorm:
                gamma, beta = self._renormalize(mean, variance, gamma, beta)
            else:
                move(self.moving_mean, mean, self.momentum)
                move(self.moving_variance, variance, self.momentum)
        return ops.BatchNorm(axis, self.epsilon)(x, mean, variance, gamma, beta)

    def moments(self, x: Value, axis: int, mask: Value | None) -> tuple[Value, Value]:
        """Mean and variance of the batch, of the elements alone that a mask lets count.

        x: f32[...], mask: bool[...] without the last axis -> f32[C], f32[C]
        """
        axes = tuple(i for i in range(x.ndim) if i != axis)
        wide = tuple(dim if i == axis else 1 for i, dim in enumerate(x.shape))
        if mask is None:
            mean = ops.reduce_mean(x, axes)
            centred = ops.subtract(x, ops.reshape(mean, wide))
            return mean, ops.reduce_mean(ops.multiply(centred, centred), axes)
        if mask.ndim != x.ndim - 1:
            raise ShapeError(f"the mask must have {x.ndim - 1} axes, but is {mask.type}")
        weights = ops.cast(align(mask, x), x.dtype)
        weights = ops.broadcast_to(weights, x.shape)
        count = ops.add(ops.reduce_sum(weights, axes), FUZZ)
        mean = ops.divide(ops.reduce_sum(ops.multiply(x, weights), axes), count)
        centred = ops.multiply(ops.subtract(x, ops.reshape(mean, wide)), weights)
        return mean, ops.divide(ops.reduce_sum(ops.multiply(centred, centred), axes), count)

    def _renormalize(
        self, mean: Value, variance: Value, gamma: Value | None, beta: Value | None
    ) -> tuple[Value, Value]:
        """gamma and beta that lead from the batch's statistics to the moving ones (Ioffe, 2017)."""
        deviation = ops.Sqrt()(ops.add(variance, self.epsilon))
        weights = (self.renorm_mean, self.renorm_stddev)
        moving_mean, moving = (ops.cast(traced(weight), mean.dtype) for weight in weights)
        moving = ops.maximum(moving, self.epsilon**0.5)
        factor = ops.divide(deviation, moving)
        offset = ops.divide(ops.subtract(mean, moving_mean), moving)
        limits = self.renorm_clipping or {}
        if limits.get("rmin") is not None:
            factor = ops.maximum(factor, limits["rmin"])
        if limits.get("rmax") is not None:
            factor = ops.minimum(factor, limits["rmax"])
        if limits.get("dmax") is not None:
            offset = ops.minimum(ops.maximum(offset, -limits["dmax"]), limits["dmax"])
        factor, offset = ops.stop_gradient(factor), ops.stop_gradient(offset)
        move(self.renorm_mean, mean, self.renorm_momentum)
        move(self.renorm_stddev, deviation, self.renorm_momentum)
        move(self.moving_mean, mean, self.momentum)
        moved = move(self.moving_stddev, deviation, self.momentum)
        squared = ops.subtract(ops.multiply(moved, moved), self.epsilon)
        update(self.moving_variance, ops.maximum(squared, 0.0))
        if gamma is not None:
            factor, offset = ops.multiply(factor, gamma), ops.multiply(offset, gamma)
        return factor, offset if beta is None else ops.add(offset, beta)


def move(variable: Variable, value: Value, momentum: float) -> Value:
    """Update a moving average; returns the new one."""
    before = ops.cast(traced(variable), value.dtype)
    moved = ops.add(ops.multiply(before, momentum), ops.multiply(value, 1 - momentum))
    update(variable, moved)
    return moved


class SquareRoot(Initializer):
    """The square roots of what another initializer makes."""

    start: Start

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        return np.sqrt(self.start.make(shape, generator))
