"""Dtypes of results as Keras has them: numbers of Python are weak, 64 bits become 32.

Of two dtypes the later one in bool, integers, floats is taken, and the wider one of a kind; a
fraction beside integers makes f32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.eager import as_array
from kerac.ir import Value, numpy_dtype, ops
from kerac.ir.dims import Dim
from kerac.ir.errors import ShapeError, UnsupportedError
from kerac.ir.types import dtype_name

Operand = Any
"""A value, or a number of Python that takes the dtype of what stands beside it."""

FLOATS = ("bf16", "f16", "f32", "f64")
NARROWER = {"i64": "i32", "u64": "u32"}
# what sums and products of integers are kept in
TOTALS = {"bool": "i32", "i8": "i32", "i16": "i32", "u8": "u32", "u16": "u32"}


def is_weak(x: Any) -> bool:
    """Whether x is a number of Python, which takes the dtype of what stands beside it."""
    return type(x) in (bool, int, float)


def value_of(x: Any, dtype: str | None = None) -> Value:
    """x as a value of a graph: arrays and numbers are constants, a length is a number."""
    if isinstance(x, Dim):
        value = ops.Length(x, "i32")()
    elif isinstance(x, Value):
        value = x
    else:
        array = as_array(x)
        if array.dtype.kind == "O" or array.dtype.kind in "USc":
            value = _of_parts(x, array)
        else:
            value = ops.constant(array)
    return value if dtype is None else ops.cast(value, dtype)


def _of_parts(x: Any, array: np.ndarray[Any, Any]) -> Value:
    """Lists with values or lengths in them, stacked."""
    if not isinstance(x, list | tuple):
        raise UnsupportedError(f"{x!r:.60} is no tensor of real numbers")
    parts = promoted(*(value_of(part) for part in x))
    return ops.concatenate([ops.reshape(part, (1, *part.shape)) for part in parts], 0)


def common_dtype(*operands: Operand) -> str:
    """The dtype that operands are brought to."""
    strong = {x.dtype for x in operands if isinstance(x, Value)}
    kinds = {type(x) for x in operands if not isinstance(x, Value)}
    floats = strong & set(FLOATS)
    if floats:
        return "f32" if floats == {"bf16", "f16"} else max(floats, key=FLOATS.index)
    if float in kinds:
        return "f32"
    if not strong - {"bool"}:
        return "i32" if int in kinds else "bool"
    found = dtype_name(np.result_type(*(numpy_dtype(dtype) for dtype in strong)))
    found = "f32" if found in FLOATS else found
    return found if found in strong else NARROWER.get(found, found)


def promoted(*operands: Operand) -> list[Value]:
    """Operands as values of their common dtype."""
    dtype = common_dtype(*operands)
    return [
        ops.cast(x, dtype) if isinstance(x, Value) else ops.constant(x, dtype) for x in operands
    ]


def floating(x: Value) -> Value:
    """x as floating-point numbers; integers become f32."""
    return x if x.tensor_type.is_float else ops.cast(x, "f32")


def floats(*operands: Operand) -> list[Value]:
    """Operands as floating-point values of their common dtype."""
    return [floating(x) for x in promoted(*operands)]


def total_dtype(x: Value) -> str:
    """The dtype in which Keras adds and multiplies many elements."""
    return TOTALS.get(x.dtype, x.dtype)


def chosen_dtype(dtype: Any, default: str = "f32") -> str:
    """The dtype that a user names, with 64 bits narrowed as Keras does, or the default."""
    if dtype is None:
        return default
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype)
    name = {"int": "int32", "float": "float32"}.get(name, name)
    try:
        found = dtype_name(name)
    except (ShapeError, TypeError):
        raise UnsupportedError(f"there is no dtype {dtype!r:.40}") from None
    return NARROWER.get(found, found)


def number_like(number: float, x: Value) -> Value:
    """A number in the dtype of x."""
    return ops.constant(number, x.dtype)
