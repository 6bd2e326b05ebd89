"""Maximum and mean over sliding windows, channels last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.errors import ShapeError
from kerac.ir.op import Array, Op
from kerac.ir.ops.window import Padding, check_window, explicit_padding, output_shape, windows
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class Pool(Op, abstract=True):
    """x: t[N, *spatial, C] -> t[N, *positions, C]; elements of the padding take no part."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Padding = "valid"

    def infer(self, x: TensorType) -> TensorType:
        spatial = x.ndim - 2
        if spatial < 1 or not x.is_float:
            raise ShapeError(f"needs floating-point x[N, *spatial, C], but got {x}")
        check_window(self.padding, spatial, window=self.window, strides=self.strides)
        positions = output_shape(
            x.shape[1:-1], self.window, self.strides, (1,) * spatial, self.padding
        )
        return x.with_shape((x.shape[0], *positions, x.shape[-1]))

    def padded_windows(self, x: Array, value: float) -> Array:
        """t[N, *positions, C, *window], the padding filled with `value`."""
        ones = (1,) * len(self.window)
        padding = explicit_padding(x.shape[1:-1], self.window, self.strides, ones, self.padding)
        padded = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)
        return windows(padded, self.window, self.strides, ones)


class MaxPool(Pool):
    """Largest element in each window."""

    def evaluate(self, x: Array) -> Array:
        view = self.padded_windows(x, -np.inf)
        return np.asarray(view.max(tuple(range(-len(self.window), 0))))


class AveragePool(Pool):
    """Mean of the elements in each window."""

    def evaluate(self, x: Array) -> Array:
        axes = tuple(range(-len(self.window), 0))
        counts = self.padded_windows(np.ones_like(x), 0).sum(axes)
        return np.asarray(self.padded_windows(x, 0).sum(axes) / counts)
