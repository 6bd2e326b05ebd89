"""Products summed over an axis: a dense layer's and the batched matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.ir.graph import Value
from kerac.ir.mathematics import NUMPY
from kerac.ir.op import Array, Op
from kerac.ir.ops.activation import activation_of
from kerac.ir.ops.elementwise import Unary
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class Epilogue(Op, abstract=True):
    """What becomes of a contraction's sums before memory: activation(sum + bias + residual)."""

    activation: Unary | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", activation_of(self.activation))

    def check_epilogue(
        self, result: TensorType, bias: TensorType | None, residual: TensorType | None
    ) -> TensorType:
        """The result's type, after a look at the operands of the epilogue."""
        if bias is not None and bias != TensorType(result.dtype, result.shape[-1:]):
            raise ShapeError(f"bias must be {result.dtype}[{result.shape[-1]}], but is {bias}")
        if residual is not None and residual != result:
            raise ShapeError(f"residual must be {result}, but is {residual}")
        return result

    def finish(self, sums: Array, bias: Array | None, residual: Array | None) -> Array:
        """Bias, residual and activation on NumPy arrays."""
        if bias is not None:
            sums = sums + bias
        if residual is not None:
            sums = sums + residual
        return self.activation.formula(NUMPY, sums) if self.activation else sums


@dataclass(frozen=True)
class Dense(Epilogue):
    """Product over the last axis of x, then the epilogue.

    x: t[..., K], kernel: t[K, F], bias: t[F], residual: t[..., F] -> t[..., F]
    """

    def infer(
        self,
        x: TensorType,
        kernel: TensorType,
        bias: TensorType | None = None,
        residual: TensorType | None = None,
    ) -> TensorType:
        if x.ndim < 1 or kernel.ndim != 2 or x.dtype != kernel.dtype:
            raise ShapeError(
                f"needs x[..., K] and kernel[K, F] of one dtype, but got {x} and {kernel}"
            )
        if x.shape[-1] != kernel.shape[0]:
            raise ShapeError(
                f"kernel has {kernel.shape[0]} rows, but the last axis of x is {x.shape[-1]}"
            )
        return self.check_epilogue(x.with_shape((*x.shape[:-1], kernel.shape[1])), bias, residual)

    def evaluate(
        self, x: Array, kernel: Array, bias: Array | None = None, residual: Array | None = None
    ) -> Array:
        return self.finish(np.matmul(x, kernel), bias, residual)

    def multiply_adds(self, result: Value) -> DimLike:
        return result.tensor_type.size * result.operands[0].tensor_type.shape[-1]


@dataclass(frozen=True)
class Matmul(Op):
    """Matrix product over the last two axes; leading axes are a common batch.

    a: t[..., M, K], b: t[..., K, N] -> t[..., M, N]
    With `transpose_a`, a is t[..., K, M]; with `transpose_b`, b is t[..., N, K].
    """

    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        if a.ndim < 2 or b.ndim < 2 or a.dtype != b.dtype:
            raise ShapeError(
                f"needs a[..., M, K] and b[..., K, N] of one dtype, but got {a} and {b}"
            )
        rows, inner = reversed(a.shape[-2:]) if self.transpose_a else a.shape[-2:]
        depth, columns = reversed(b.shape[-2:]) if self.transpose_b else b.shape[-2:]
        if inner != depth:
            raise ShapeError(
                f"a has {inner} {'rows' if self.transpose_a else 'columns'}, "
                f"but b has {depth} {'columns' if self.transpose_b else 'rows'}"
            )
        if a.shape[:-2] != b.shape[:-2]:
            raise ShapeError(
                f"batch axes {a.shape[:-2]} and {b.shape[:-2]} differ; matmul does not broadcast"
            )
        return a.with_shape((*a.shape[:-2], rows, columns))

    def evaluate(self, a: Array, b: Array) -> Array:
        left = np.swapaxes(a, -1, -2) if self.transpose_a else a
        right = np.swapaxes(b, -1, -2) if self.transpose_b else b
        return np.asarray(np.matmul(left, right))

    def multiply_adds(self, result: Value) -> DimLike:
        depth = result.operands[0].tensor_type.shape[-2 if self.transpose_a else -1]
        return result.tensor_type.size * depth


def dense(x: Value, kernel: Value, bias: Value | None = None) -> Value:
    """Product over the last axis of x, plus bias."""
    return Dense()(x, kernel, bias)


def matmul(a: Value, b: Value) -> Value:
    """Batched matrix product."""
    return Matmul()(a, b)
