"""The order of elements by their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.errors import ShapeError
from kerac.ir.op import Array, Op
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class ArgSort(Op):
    """Places along the last axis in ascending order of their elements; equal ones stay in order.

    x: t[..., L] -> i32[..., L]. NaNs come last.
    """

    def infer(self, x: TensorType) -> TensorType:
        if not x.ndim or x.dtype == "bool":
            raise ShapeError(f"x must hold numbers along an axis, but is {x}")
        return x.with_dtype("i32")

    def evaluate(self, x: Array) -> Array:
        return np.argsort(x, axis=-1, kind="stable").astype(np.int32)
