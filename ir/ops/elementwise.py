"""Ops whose elements come from those at the same place; operands broadcast as in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import InternalError, ShapeError
from kerac.ir.graph import Value
from kerac.ir.mathematics import NUMPY, Mathematics
from kerac.ir.op import Array, Op
from kerac.ir.types import Shape, TensorType, numpy_dtype


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape all `shapes` broadcast to, axes aligned at the right, length 1 stretching."""
    ndim = max((len(shape) for shape in shapes), default=0)
    result: list[DimLike] = []
    for position in range(-ndim, 0):
        dims = [shape[position] for shape in shapes if len(shape) >= -position]
        wide = [dim for dim in dict.fromkeys(dims) if dim != 1]
        if len(wide) > 1:
            raise ShapeError(
                f"axis {position} is {wide[0]} in one operand, but {wide[1]} in another"
            )
        result.append(wide[0] if wide else 1)
    return tuple(result)


@dataclass(frozen=True)
class Elementwise(Op, abstract=True):
    """Base of all: `formula` says what one element is, for NumPy, kernels and ONNX alike."""

    result_dtype: ClassVar[str | None] = None  # None: the dtype of the operands

    def formula(self, m: Mathematics, *operands: Any) -> Any:
        """One element of the result, by the functions of `m`."""
        raise InternalError(f"{self.text_name} has no formula")

    def evaluate(self, *arrays: Array) -> Array:
        result = np.asarray(self.formula(NUMPY, *arrays))
        return result.astype(
            numpy_dtype(self.result_dtype) if self.result_dtype else arrays[-1].dtype, copy=False
        )


@dataclass(frozen=True)
class Unary(Elementwise, abstract=True):
    """x: t[...] -> t[...]"""

    float_only: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        if self.float_only and not x.is_float:
            raise ShapeError(f"x must be floating point, but is {x.dtype}")
        return x

    def formula(self, m: Mathematics, x: Any) -> Any:
        """One element of the result, by the functions of `m`."""
        raise InternalError(f"{self.text_name} has no formula")


@dataclass(frozen=True)
class Binary(Elementwise, abstract=True):
    """x: t[...], y: t[...] -> t[...]"""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        if x.dtype != y.dtype:
            raise ShapeError(f"x is {x.dtype}, but y is {y.dtype}")
        return TensorType(self.result_dtype or x.dtype, broadcast_shapes(x.shape, y.shape))


class Add(Binary):
    """x + y."""

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return x + y


class Subtract(Binary):
    """x - y."""

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return x - y


class Multiply(Binary):
    """x * y."""

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return x * y


class Divide(Binary):
    """x / y, as IEEE 754 has it."""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        if not x.is_float:
            raise ShapeError(f"x must be floating point, but is {x.dtype}")
        return super().infer(x, y)

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return x / y


class Maximum(Binary):
    """The larger one; NaN where either is."""

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return m.maximum(x, y)


class Minimum(Binary):
    """The smaller one; NaN where either is."""

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return m.minimum(x, y)


class Power(Binary):
    """x to the power of y."""

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return m.power(x, y)


@dataclass(frozen=True)
class Comparison(Binary, abstract=True):
    """x: t[...], y: t[...] -> bool[...]"""

    result_dtype: ClassVar[str | None] = "bool"
    predicate: ClassVar[str] = ""  # also the NumPy function

    def evaluate(self, *arrays: Array) -> Array:
        return np.asarray(getattr(np, self.predicate)(*arrays))


class Equal(Comparison):
    """x == y."""

    predicate = "equal"


class NotEqual(Comparison):
    """x != y."""

    predicate = "not_equal"


class Less(Comparison):
    """x < y."""

    predicate = "less"


class LessEqual(Comparison):
    """x <= y."""

    predicate = "less_equal"


class Greater(Comparison):
    """x > y."""

    predicate = "greater"


class GreaterEqual(Comparison):
    """x >= y."""

    predicate = "greater_equal"


@dataclass(frozen=True)
class Logical(Elementwise, abstract=True):
    """x: bool[...], y: bool[...] -> bool[...]"""

    result_dtype: ClassVar[str | None] = "bool"
    predicate: ClassVar[str] = ""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        if x.dtype != "bool" or y.dtype != "bool":
            raise ShapeError(f"operands must be bool, but are {x.dtype} and {y.dtype}")
        return TensorType("bool", broadcast_shapes(x.shape, y.shape))

    def evaluate(self, *arrays: Array) -> Array:
        return np.asarray(getattr(np, self.predicate)(*arrays))


class LogicalAnd(Logical):
    """Both."""

    predicate = "logical_and"


class LogicalOr(Logical):
    """At least one."""

    predicate = "logical_or"


class LogicalNot(Elementwise):
    """x: bool[...] -> bool[...]"""

    result_dtype = "bool"

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype != "bool":
            raise ShapeError(f"x must be bool, but is {x.dtype}")
        return x

    def evaluate(self, *arrays: Array) -> Array:
        return np.asarray(np.logical_not(arrays[0]))


class Select(Elementwise):
    """x where the condition holds, else y.

    condition: bool[...], x: t[...], y: t[...] -> t[...]
    """

    def infer(self, condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
        if condition.dtype != "bool" or x.dtype != y.dtype:
            raise ShapeError(
                "needs bool and twice the same dtype, "
                f"but got {condition.dtype}, {x.dtype}, {y.dtype}"
            )
        return TensorType(x.dtype, broadcast_shapes(condition.shape, x.shape, y.shape))

    def formula(self, m: Mathematics, condition: Any, x: Any, y: Any) -> Any:
        return m.select(condition, x, y)


@dataclass(frozen=True)
class Cast(Elementwise):
    """The same numbers in another dtype; floats are truncated towards zero, bool becomes 0 or 1.

    x: t[...] -> dtype[...]
    """

    dtype: str

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)

    def evaluate(self, *arrays: Array) -> Array:
        return arrays[0].astype(numpy_dtype(self.dtype))


def binary(op: Binary, x: Value, y: Value | float) -> Value:
    """`op(x, y)`, where a number becomes a scalar constant of x's dtype."""
    from kerac.ir.ops.constant import constant

    return op(x, y if isinstance(y, Value) else constant(y, x.dtype))


def add(x: Value, y: Value | float) -> Value:
    """x + y."""
    return binary(Add(), x, y)


def subtract(x: Value, y: Value | float) -> Value:
    """x - y."""
    return binary(Subtract(), x, y)


def multiply(x: Value, y: Value | float) -> Value:
    """x * y."""
    return binary(Multiply(), x, y)


def divide(x: Value, y: Value | float) -> Value:
    """x / y."""
    return binary(Divide(), x, y)


def maximum(x: Value, y: Value | float) -> Value:
    """The larger one."""
    return binary(Maximum(), x, y)


def minimum(x: Value, y: Value | float) -> Value:
    """The smaller one."""
    return binary(Minimum(), x, y)


def select(condition: Value, x: Value, y: Value) -> Value:
    """x where `condition` holds, else y."""
    return Select()(condition, x, y)


def cast(x: Value, dtype: str) -> Value:
    """x in another dtype; x itself where it has that dtype."""
    return x if x.dtype == dtype else Cast(dtype)(x)
