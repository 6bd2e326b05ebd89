"""The gradient of a convolution with respect to its kernel: a product over all its positions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.ir.graph import Value
from kerac.ir.op import Array, Op
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class ConvolutionKernelGradient(Op):
    """Sums over images and positions of what each element of a kernel was multiplied with.

    x: t[N, *spatial, C], padded as the convolution reads it, cotangent: t[N, *positions, F]
    -> t[*window, C/groups, F]
    """

    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def infer(self, x: TensorType, cotangent: TensorType) -> TensorType:
        spatial = x.ndim - 2
        if spatial < 1 or cotangent.ndim != x.ndim or x.dtype != cotangent.dtype:
            raise ShapeError(
                "needs x[N, *spatial, C] and cotangent[N, *positions, F] of one dtype, "
                f"but got {x} and {cotangent}"
            )
        channels, filters = x.shape[-1], cotangent.shape[-1]
        if any(isinstance(d, int) and d % self.groups for d in (channels, filters)):
            raise ShapeError(f"{channels} channels, {filters} filters, but {self.groups} groups")
        return x.with_shape((*self.window, channels // self.groups, filters))

    def multiply_adds(self, result: Value) -> DimLike:
        cotangent = result.operands[1]
        positions: DimLike = prod(cotangent.shape[:-1], start=1)
        return result.tensor_type.size * positions

    def evaluate(self, x: Array, cotangent: Array) -> Array:
        positions, filters = cotangent.shape[1:-1], cotangent.shape[-1]
        channels = x.shape[-1] // self.groups
        right = cotangent.reshape(-1, self.groups, filters // self.groups)
        result = np.zeros((*self.window, channels, filters), x.dtype)
        for place in product(*map(range, self.window)):
            parts = tuple(
                slice(w * d, w * d + (n - 1) * s + 1, s)
                for w, d, n, s in zip(place, self.dilation, positions, self.strides, strict=True)
            )
            left = x[(slice(None), *parts)].reshape(-1, self.groups, channels)
            sums = np.matmul(left.transpose(1, 2, 0), right.transpose(1, 0, 2))
            result[place] = sums.transpose(1, 0, 2).reshape(channels, filters)
        return result
