"""Numbers of places: 0, 1, 2, ... along an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.graph import Value
from kerac.ir.op import Array, Op
from kerac.ir.ops.constant import constant
from kerac.ir.ops.movement import check_axis
from kerac.ir.types import Shape, TensorType, is_static, known_shape, numpy_dtype


@dataclass(frozen=True)
class Iota(Op):
    """Each element is its place along `axis`.

    -> dtype[*shape]
    """

    shape: Shape
    axis: int
    dtype: str = "i32"

    def infer(self) -> TensorType:
        check_axis(self.axis, len(self.shape))
        return TensorType(self.dtype, tuple(self.shape))

    def evaluate(self) -> Array:
        shape = known_shape(self.shape)
        numbers = np.arange(shape[self.axis]).astype(numpy_dtype(self.dtype))
        behind = (1,) * (len(shape) - self.axis - 1)
        return np.broadcast_to(numbers.reshape(-1, *behind), shape)


def iota(shape: Shape, axis: int, dtype: str = "i32") -> Value:
    """Places along `axis`; a constant where their number is known."""
    op = Iota(tuple(shape), axis, dtype)
    return constant(op.evaluate()) if is_static(op.shape) else op()
