"""Normalization by given or by computed statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.errors import ShapeError
from kerac.ir.op import Array, Op
from kerac.ir.ops.movement import check_axis
from kerac.ir.types import TensorType, check_types


@dataclass(frozen=True)
class BatchNorm(Op):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, vectors along `axis`.

    x: t[...], mean, variance, gamma, beta: t[C] -> t[...]       (Ioffe and Szegedy, 2015)
    """

    axis: int
    epsilon: float = 1e-3

    def infer(
        self,
        x: TensorType,
        mean: TensorType,
        variance: TensorType,
        gamma: TensorType | None = None,
        beta: TensorType | None = None,
    ) -> TensorType:
        check_axis(self.axis, x.ndim)
        expected = TensorType(x.dtype, (x.shape[self.axis],))
        operands = {"mean": mean, "variance": variance, "gamma": gamma, "beta": beta}
        check_types({name: (given, expected) for name, given in operands.items()})
        return x

    def evaluate(
        self,
        x: Array,
        mean: Array,
        variance: Array,
        gamma: Array | None = None,
        beta: Array | None = None,
    ) -> Array:
        shape = [1] * x.ndim
        shape[self.axis] = -1
        scale = 1 / np.sqrt(variance + x.dtype.type(self.epsilon))
        if gamma is not None:
            scale = scale * gamma
        result = (x - mean.reshape(shape)) * scale.reshape(shape)
        return np.asarray(result if beta is None else result + beta.reshape(shape))


@dataclass(frozen=True)
class LayerNorm(Op):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance of x over `axes`.

    x: t[...], gamma, beta: t[dims of x at axes] -> t[...]       (Ba et al., 2016)
    """

    axes: tuple[int, ...]
    epsilon: float = 1e-3

    def infer(
        self, x: TensorType, gamma: TensorType | None = None, beta: TensorType | None = None
    ) -> TensorType:
        for axis in self.axes:
            check_axis(axis, x.ndim)
        if list(self.axes) != sorted(set(self.axes)) or not self.axes:
            raise ShapeError(f"axes {self.axes} must be ascending and different")
        expected = TensorType(x.dtype, tuple(x.shape[axis] for axis in self.axes))
        check_types({"gamma": (gamma, expected), "beta": (beta, expected)})
        return x

    def evaluate(self, x: Array, gamma: Array | None = None, beta: Array | None = None) -> Array:
        shape = [dim if axis in self.axes else 1 for axis, dim in enumerate(x.shape)]
        mean = x.mean(self.axes, keepdims=True)
        variance = np.square(x - mean).mean(self.axes, keepdims=True)
        result = (x - mean) / np.sqrt(variance + x.dtype.type(self.epsilon))
        if gamma is not None:
            result = result * gamma.reshape(shape)
        return np.asarray(result if beta is None else result + beta.reshape(shape))
