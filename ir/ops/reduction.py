"""Ops that reduce axes to one element, and those that normalize along an axis by reductions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.ir.errors import InternalError, ShapeError
from kerac.ir.graph import Value
from kerac.ir.op import Array, Op
from kerac.ir.ops.movement import check_axis
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class Reduction(Op, abstract=True):
    """x: t[...] -> t[...] without `axes`, or with length 1 there if `keepdims`."""

    axes: tuple[int, ...]
    keepdims: bool = False

    def infer(self, x: TensorType) -> TensorType:
        for axis in self.axes:
            check_axis(axis, x.ndim)
        if list(self.axes) != sorted(set(self.axes)):
            raise ShapeError(f"axes {self.axes} must be ascending and different")
        kept = [1 if axis in self.axes else dim for axis, dim in enumerate(x.shape)]
        if not self.keepdims:
            kept = [dim for axis, dim in enumerate(x.shape) if axis not in self.axes]
        return x.with_shape(tuple(kept))

    def reduce(self, x: Array, **keywords: Any) -> Any:
        """The NumPy function of this reduction."""
        raise InternalError(f"{self.text_name} has no meaning")

    def evaluate(self, x: Array) -> Array:
        return np.asarray(self.reduce(x, axis=self.axes, keepdims=self.keepdims)).astype(
            x.dtype, copy=False
        )


class ReduceSum(Reduction):
    """Sum along axes."""

    def reduce(self, x: Array, **keywords: Any) -> Any:
        return np.sum(x, **keywords)


class ReduceMean(Reduction):
    """Arithmetic mean along axes."""

    def infer(self, x: TensorType) -> TensorType:
        if not x.is_float:
            raise ShapeError(f"x must be floating point, but is {x.dtype}")
        return super().infer(x)

    def reduce(self, x: Array, **keywords: Any) -> Any:
        return np.mean(x, **keywords)


class ReduceMax(Reduction):
    """Largest element along axes."""

    def reduce(self, x: Array, **keywords: Any) -> Any:
        return np.max(x, **keywords)


class ReduceMin(Reduction):
    """Smallest element along axes."""

    def reduce(self, x: Array, **keywords: Any) -> Any:
        return np.min(x, **keywords)


class ReduceProduct(Reduction):
    """Product along axes."""

    def reduce(self, x: Array, **keywords: Any) -> Any:
        return np.prod(x, **keywords)


@dataclass(frozen=True)
class AlongAxis(Op, abstract=True):
    """x: t[...] -> t[...], each line along `axis` for itself."""

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        check_axis(self.axis, x.ndim)
        if not x.is_float:
            raise ShapeError(f"x must be floating point, but is {x.dtype}")
        return x


class Softmax(AlongAxis):
    """exp(x) / sum(exp(x)) along an axis, without overflow."""

    def evaluate(self, x: Array) -> Array:
        powers = np.exp(x - x.max(self.axis, keepdims=True))
        return np.asarray(powers / powers.sum(self.axis, keepdims=True))


class LogSoftmax(AlongAxis):
    """log(softmax(x)) along an axis, without overflow."""

    def evaluate(self, x: Array) -> Array:
        moved = x - x.max(self.axis, keepdims=True)
        return np.asarray(moved - np.log(np.exp(moved).sum(self.axis, keepdims=True)))


class Sparsemax(AlongAxis):
    """The nearest point of the probability simplex (Martins and Astudillo, 2016) along an axis."""

    def evaluate(self, x: Array) -> Array:
        moved = np.moveaxis(x, self.axis, -1)
        descending = -np.sort(-moved, axis=-1)
        sums = np.cumsum(descending, axis=-1)
        counts = np.arange(1, moved.shape[-1] + 1, dtype=x.dtype)
        support = np.sum(1 + counts * descending > sums, axis=-1, keepdims=True)
        threshold = (np.take_along_axis(sums, support - 1, -1) - 1) / support.astype(x.dtype)
        inside = np.asarray(np.maximum(moved - threshold, 0))
        return np.moveaxis(inside, -1, self.axis).astype(x.dtype, copy=False)


def reduce_mean(x: Value, axes: tuple[int, ...], keepdims: bool = False) -> Value:
    """Arithmetic mean along `axes`."""
    return ReduceMean(tuple(axes), keepdims)(x)


def reduce_sum(x: Value, axes: tuple[int, ...], keepdims: bool = False) -> Value:
    """Sum along `axes`."""
    return ReduceSum(tuple(axes), keepdims)(x)


def reduce_max(x: Value, axes: tuple[int, ...], keepdims: bool = False) -> Value:
    """Largest element along `axes`."""
    return ReduceMax(tuple(axes), keepdims)(x)


def softmax(x: Value, axis: int) -> Value:
    """Softmax along `axis`, which may be negative."""
    return Softmax(axis % x.ndim)(x)
