"""Sums of all elements up to each one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.errors import ShapeError
from kerac.ir.op import Array, Op
from kerac.ir.ops.movement import check_axis
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class CumulativeSum(Op):
    """The sum of each element and all before it along `axis`; with `reverse` of all after it.

    x: t[...] -> t[...]
    """

    axis: int
    reverse: bool = False

    def infer(self, x: TensorType) -> TensorType:
        check_axis(self.axis, x.ndim)
        if x.dtype == "bool":
            raise ShapeError("x must hold numbers, but is bool")
        return x

    def evaluate(self, x: Array) -> Array:
        moved = np.flip(x, self.axis) if self.reverse else x
        sums = np.cumsum(moved, self.axis, dtype=x.dtype)
        return np.flip(sums, self.axis) if self.reverse else sums
