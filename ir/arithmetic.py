"""Operators on values, so that formulas read as they are written: `2 * x + y[:, -1]`.

A number takes the dtype of the value beside it. Of two dtypes the later one in bool, integers,
floats is taken, and the wider one of a kind; a fraction beside an integer makes both f32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kerac.ir.dims import Dim
from kerac.ir.errors import ShapeError

if TYPE_CHECKING:
    from kerac.ir.graph import Value

Operand = Any
"""A value, a number or an array."""


class Arithmetic:
    """Base of values: Python's operators in terms of ops."""

    # NumPy arrays leave the operators to us
    __array_ufunc__ = None

    def __add__(self, other: Operand) -> Value:
        return apply("Add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return apply("Add", other, self)

    def __sub__(self, other: Operand) -> Value:
        return apply("Subtract", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return apply("Subtract", other, self)

    def __mul__(self, other: Operand) -> Value:
        return apply("Multiply", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return apply("Multiply", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return apply("Divide", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return apply("Divide", other, self)

    def __pow__(self, other: Operand) -> Value:
        return apply("Power", self, other)

    def __rpow__(self, other: Operand) -> Value:
        return apply("Power", other, self)

    def __floordiv__(self, other: Operand) -> Value:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: Operand) -> Value:
        return floor_divide(other, self)

    def __mod__(self, other: Operand) -> Value:
        return remainder(self, other)

    def __rmod__(self, other: Operand) -> Value:
        return remainder(other, self)

    def __neg__(self) -> Value:
        from kerac.ir import ops

        return ops.Negative()(cast("Value", self))

    def __abs__(self) -> Value:
        from kerac.ir import ops

        return ops.Absolute()(cast("Value", self))

    def __lt__(self, other: Operand) -> Value:
        return apply("Less", self, other)

    def __le__(self, other: Operand) -> Value:
        return apply("LessEqual", self, other)

    def __gt__(self, other: Operand) -> Value:
        return apply("Greater", self, other)

    def __ge__(self, other: Operand) -> Value:
        return apply("GreaterEqual", self, other)

    def __and__(self, other: Operand) -> Value:
        return apply("LogicalAnd", self, other)

    def __or__(self, other: Operand) -> Value:
        return apply("LogicalOr", self, other)

    def __invert__(self) -> Value:
        from kerac.ir import ops

        return ops.LogicalNot()(cast("Value", self))

    def __getitem__(self, key: Any) -> Value:
        from kerac.ir.indexing import part_of

        return part_of(cast("Value", self), key)

    def __matmul__(self, other: Operand) -> Value:
        return product(self, other)

    def __rmatmul__(self, other: Operand) -> Value:
        return product(other, self)

    def __iter__(self) -> Any:
        raise TypeError("a value of a graph cannot be iterated over; take parts by slices")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        # NumPy and TensorFlow ask for this when one of their functions is given a value
        raise TypeError(
            "a value of a graph has no numbers yet, so only kerac's functions take it: "
            "use kerac.ops in the place of NumPy, TensorFlow, JAX or torch"
        )

    def __float__(self) -> float:
        raise TypeError("a value of a graph has no numbers yet; compute with kerac.ops")

    __int__ = __float__


def apply(op: str, x: Operand, y: Operand) -> Value:
    """The elementwise op of this class name on operands brought to one dtype."""
    from kerac.ir import ops

    one, other = promoted(x, y)
    if op == "Divide" and not one.tensor_type.is_float:
        one, other = ops.cast(one, "f32"), ops.cast(other, "f32")
    result: Value = getattr(ops, op)()(one, other)
    return result


def product(x: Operand, y: Operand) -> Value:
    """The product of matrices; the second one, or those of a whole batch, stands on the right."""
    from kerac.ir import ops

    left, right = promoted(x, y)
    return ops.dense(left, right) if right.ndim == 2 else ops.matmul(left, right)


def promoted(*operands: Operand) -> list[Value]:
    """Operands as values of one dtype; at least one is a value."""
    from kerac.ir import ops
    from kerac.ir.graph import Value

    # weights of layers become values of the graph in the making
    operands = tuple(x.as_value() if hasattr(x, "as_value") else x for x in operands)
    dtypes = [x.dtype for x in operands if isinstance(x, Value)]
    arrays = {
        i: np.asarray(x) for i, x in enumerate(operands) if not isinstance(x, Value | Dim)
    }
    for array in arrays.values():
        if array.dtype.kind not in "biuf":
            raise ShapeError(f"a number is expected beside a value, but got {array!r:.40}")
        if rank(KINDS[array.dtype.kind])[0] > max(map(rank, dtypes))[0]:
            dtypes.append(KINDS[array.dtype.kind])
    dtype = max(dtypes, key=rank)
    if dtype == "bool" and any(isinstance(x, Dim) for x in operands):
        dtype = "i32"
    return [
        ops.constant(arrays[i], dtype)
        if i in arrays
        else ops.Length(x, dtype)()
        if isinstance(x, Dim)
        else ops.cast(x, dtype)
        for i, x in enumerate(operands)
    ]


def floor_divide(x: Operand, y: Operand) -> Value:
    """The quotient rounded towards minus infinity."""
    from kerac.ir import ops

    one, other = promoted(x, y)
    if one.tensor_type.is_float:
        return ops.Floor()(ops.divide(one, other))
    # a quotient of integers of 32 bits is no integer in f64 unless it is one
    wide = ops.divide(ops.cast(one, "f64"), ops.cast(other, "f64"))
    return ops.cast(ops.Floor()(wide), one.dtype)


def remainder(x: Operand, y: Operand) -> Value:
    """What is left of x, with the sign of y."""
    one, other = promoted(x, y)
    return one - floor_divide(one, other) * other


KINDS = {"b": "bool", "i": "i32", "u": "i32", "f": "f32"}


def rank(dtype: str) -> tuple[int, int, int]:
    """Kinds in the order of promotion: bool, integers, floats; among those the wider."""
    if dtype == "bool":
        return 0, 0, 0
    kind, bits = (dtype[0], dtype[1:]) if dtype != "bf16" else ("f", "15")
    return (2 if kind == "f" else 1), int(bits), int(kind == "i")
