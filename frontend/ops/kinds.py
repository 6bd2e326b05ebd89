"""Dtypes: clamped casts, bits read as another dtype, and arrays of complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.types import numpy_dtype
from kerac.ops.numbers import number_limits
from kerac.ops.promotion import chosen_dtype
from kerac.ops.registry import on_arrays, operation

COMPLEX = "graphs hold real numbers"
BITS = "graphs hold numbers, and not their bits"


@operation("core", "SaturateCast")
def saturate_cast(x: Value, dtype: Any) -> Value:
    """x in another dtype; what is too large or small becomes its largest or smallest number."""
    target = chosen_dtype(dtype)
    if target == "bool":
        return ops.cast(x, "bool")
    low, high = number_limits(target)
    if x.tensor_type.is_float and target[0] in "iu":
        # the largest integers are no numbers of f32, but those just below them are
        wide = ops.cast(x, "f64")
        return ops.cast(ops.minimum(ops.maximum(wide, low), high), target)
    own = number_limits(x.dtype) if x.dtype != "bool" else (0, 1)
    if own[0] < low:
        x = ops.maximum(x, low)
    if own[1] > high:
        x = ops.minimum(x, high)
    return ops.cast(x, target)


@on_arrays(BITS)
def view(x: Any, dtype: Any = None) -> Any:
    """The bits of an array read as another dtype."""
    array = np.ascontiguousarray(x)
    return array if dtype is None else array.view(numpy_dtype(chosen_dtype(dtype)))


@on_arrays(COMPLEX, "math")
def view_as_complex(x: Any) -> Any:
    """Pairs along the last axis as complex numbers."""
    array = np.asarray(x)
    return array[..., 0] + 1j * array[..., 1]


@on_arrays(COMPLEX, "math")
def view_as_real(x: Any) -> Any:
    """Complex numbers as pairs along a new last axis."""
    array = np.asarray(x)
    return np.stack([array.real, array.imag], -1)


@on_arrays(COMPLEX, "nn")
def polar(abs_: Any, angle: Any) -> Any:
    """Complex numbers of a size and an angle."""
    size, turn = np.asarray(abs_, np.float32), np.asarray(angle, np.float32)
    return size * np.cos(turn) + 1j * size * np.sin(turn)
