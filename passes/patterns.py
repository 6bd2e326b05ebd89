"""Questions that many rules ask about a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import NamedTuple

import numpy as np

from kerac.ir import Op, TensorType, Value
from kerac.ir import ops as o
from kerac.ir.ops.contraction import Epilogue
from kerac.ir.ops.movement import Movement
from kerac.ir.types import is_static

Array = np.ndarray
SMALL = 4096  # elements that are looked at, or computed at compile time, without a second thought


def array_of(value: Value | None) -> Array | None:
    """The array of a constant or parameter, where it is known."""
    if value is not None:
        match value.op:
            case o.Constant(data) | o.Parameter(_, data) if data.is_known:
                return data.array
    return None


def is_constant(value: Value | None) -> bool:
    """Whether the array of `value` is known now."""
    return array_of(value) is not None


def number_of(value: Value | None) -> float | None:
    """The number that all elements of a constant are; looked for in small arrays only."""
    array = array_of(value)
    if array is None or not 0 < array.size <= SMALL:
        return None
    first = array.reshape(-1)[0]
    return float(first) if array.size == 1 or bool((array == first).all()) else None


def is_number(value: Value | None, wanted: float, tolerance: float = 0.0) -> bool:
    """Whether all elements of a constant are `wanted`, up to a relative `tolerance`."""
    number = number_of(value)
    if number is None:
        return False
    return number == wanted or abs(number - wanted) <= tolerance * abs(wanted)


def either_order(value: Value) -> Iterator[tuple[Value, Value]]:
    """The two operands of a commutative op, in both orders."""
    x, y = value.operands
    yield x, y
    yield y, x


class WithConstant(NamedTuple):
    """A binary op on a value and a constant."""

    op: Op
    x: Value
    constant: Value
    array: Array


def with_constant(value: Value | None, *kinds: type[Op]) -> WithConstant | None:
    """`value` as an op of one of `kinds` whose second operand alone is constant."""
    if value is not None and isinstance(value.op, kinds):
        x, constant = value.inputs
        array = array_of(constant)
        if x is not None and constant is not None and array is not None and not is_constant(x):
            return WithConstant(value.op, x, constant, array)
    return None


class Contraction(NamedTuple):
    """A convolution or dense with its operands."""

    op: Epilogue
    x: Value
    kernel: Value
    bias: Value | None
    residual: Value | None


def contraction(value: Value | None) -> Contraction | None:
    """`value` as a convolution or dense."""
    if value is None or not isinstance(value.op, Epilogue):
        return None
    x, kernel, bias, residual = (*value.inputs, None, None)[:4]
    return Contraction(value.op, x, kernel, bias, residual)  # type: ignore[arg-type]


def open_contraction(value: Value | None, uses: object) -> Contraction | None:
    """A convolution or dense without activation that has one use: its epilogue may grow."""
    found = contraction(value)
    if found and found.op.activation is None and uses[value] == 1:  # type: ignore[index]
        return found
    return None


def along_last_axis(array: Array, type_: TensorType) -> Array | None:
    """`array` as a vector along the last axis of `type_`, or None where it varies along others."""
    length = type_.shape[-1] if type_.shape else None
    if not isinstance(length, int) or array.ndim > type_.ndim:
        return None
    if array.size == 1:
        return np.broadcast_to(array.reshape(1), (length,))
    if array.shape[-1] == length and array.size == length:
        return array.reshape(length)
    return None


def grows(result: TensorType, *operands: Array) -> bool:
    """Whether a constant of type `result` takes notably more memory than what it is made of."""
    if not is_static(result.shape):
        return True
    size = result.size
    return isinstance(size, int) and size > max(SMALL, sum(array.size for array in operands))


def constant_like(array: Array, value: Value, name: str = "") -> Value:
    """A constant of the dtype of `value`."""
    with np.errstate(over="ignore"):
        rounded = np.asarray(array).astype(value.tensor_type.numpy_dtype, copy=False)
    return o.constant(rounded, name=name)


def without_leading_ones(array: Array) -> Array:
    """`array` without leading axes of length 1, which broadcasting puts back."""
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    return array


_LOWER_BOUNDS: dict[type[Op], float] = {
    o.Relu: 0.0, o.Relu6: 0.0, o.Sigmoid: 0.0, o.HardSigmoid: 0.0, o.SparseSigmoid: 0.0,
    o.SparsePlus: 0.0, o.Softplus: 0.0, o.Absolute: 0.0, o.Exp: 0.0, o.Softmax: 0.0,
    o.Sparsemax: 0.0, o.Tanh: -1.0, o.HardTanh: -1.0, o.Expm1: -1.0, o.Erf: -1.0, o.Softsign: -1.0,
}  # fmt: skip
_KEEPING = (Movement, o.MaxPool, o.AveragePool, o.ReduceMax, o.ReduceMin, o.ReduceMean, o.Dropout)
_COMBINED: dict[type[Op], Callable[[float, float], float]] = {
    o.Add: lambda x, y: x + y,
    o.Multiply: lambda x, y: 0.0 if min(x, y) >= 0 else -inf,
    o.Maximum: max,
    o.Minimum: min,
}


def lower_bound(value: Value, depth: int = 12) -> float:
    """A number that no element of a float tensor is less than (NaN aside); -inf if unknown."""
    op = value.op
    if depth == 0 or isinstance(value.type, tuple) or not value.tensor_type.is_float:
        return -inf
    if isinstance(op, Epilogue):
        return _LOWER_BOUNDS.get(type(op.activation), -inf) if op.activation else -inf
    if type(op) in _LOWER_BOUNDS:
        return _LOWER_BOUNDS[type(op)]
    array = array_of(value)
    if array is not None:
        return float(array.min()) if 0 < array.size <= SMALL else -inf
    if isinstance(op, o.Square):
        return 0.0
    below = [
        lower_bound(v, depth - 1)
        for v in value.operands
        if v.type and not isinstance(v.type, tuple)
    ]
    if isinstance(op, o.Pad):
        return min(op.value, below[0])
    if isinstance(op, o.Gather):
        return below[0]
    if isinstance(op, _KEEPING):
        return min(below)
    if type(op) in _COMBINED:
        return _COMBINED[type(op)](*below)
    return -inf
