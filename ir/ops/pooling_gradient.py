"""The gradient of a maximum over windows: the cotangent goes to the first largest element."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from kerac.ir.errors import ShapeError
from kerac.ir.op import Array, Op
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class MaxPoolGradient(Op):
    """Cotangents of x, padded as the pooling reads it; the first of equal elements gets all.

    x: t[N, *spatial, C], largest, cotangent: t[N, *positions, C] -> t[N, *spatial, C]
    """

    window: tuple[int, ...]
    strides: tuple[int, ...]

    def infer(self, x: TensorType, largest: TensorType, cotangent: TensorType) -> TensorType:
        spatial = len(self.window)
        if x.ndim != spatial + 2 or len(self.strides) != spatial or not x.is_float:
            raise ShapeError(f"needs floating-point x of {spatial + 2} axes, but got {x}")
        if largest != cotangent or largest.ndim != x.ndim or largest.dtype != x.dtype:
            raise ShapeError(f"{x}, {largest} and {cotangent} do not fit together")
        return x

    def evaluate(self, x: Array, largest: Array, cotangent: Array) -> Array:
        result = np.zeros_like(x)
        free = np.ones(largest.shape, bool)
        positions = largest.shape[1:-1]
        for place in product(*map(range, self.window)):
            parts = tuple(
                slice(w, w + (n - 1) * s + 1, s)
                for w, n, s in zip(place, positions, self.strides, strict=True)
            )
            at = (slice(None), *parts)
            hit = free & (x[at] == largest)
            result[at] += np.where(hit, cotangent, x.dtype.type(0))
            free &= ~hit
        return result
