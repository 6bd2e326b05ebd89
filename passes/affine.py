"""Products and sums with constants, and how a convolution or dense takes them in.

Arithmetic on weights is done in float64 and rounded once.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from kerac.ir import TensorType, Value
from kerac.ir import ops as o
from kerac.ir.dims import known_dim
from kerac.ir.ops.window import explicit_padding
from kerac.ir.types import is_static
from kerac.passes.patterns import (
    Array,
    Contraction,
    along_last_axis,
    array_of,
    constant_like,
    is_constant,
    with_constant,
)
from kerac.passes.rewrite import Uses

# x * scale + shift cancels digits where the two are near each other, and a large shift takes more
# of them. Up to this magnitude, where results are what networks usually work with, the loss is
# float32 rounding.
LARGEST_SHIFT = 16.0


class Affine(NamedTuple):
    """`x * scale + shift`; both arrays have as many axes as x, of length 1 where they broadcast."""

    x: Value
    scale: Array
    shift: Array


def batch_norm_as_affine(value: Value) -> Affine | None:
    """A normalization by constant statistics."""
    if not isinstance(value.op, o.BatchNorm):
        return None
    x, mean, variance, gamma, beta = (*value.inputs, None, None)[:5]
    if x is None or any(v is not None and not is_constant(v) for v in value.inputs[1:]):
        return None
    scale = 1 / np.sqrt(_wide(array_of(variance)) + value.op.epsilon)
    if gamma is not None:
        scale = scale * _wide(array_of(gamma))
    shift = -_wide(array_of(mean)) * scale
    if beta is not None:
        shift = shift + _wide(array_of(beta))
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        return None
    shape = [1] * x.ndim
    shape[value.op.axis] = -1
    return Affine(x, scale.reshape(shape), shift.reshape(shape))


def arithmetic_as_affine(value: Value) -> Affine | None:
    """A product or a sum with a constant that does not broadcast the other operand."""
    found = with_constant(value, o.Multiply, o.Add)
    if not found or found.x.type != value.type or not value.tensor_type.is_float:
        return None
    array = _wide(found.array).reshape((1,) * (value.ndim - found.array.ndim) + found.array.shape)
    if not np.isfinite(array).all():
        return None
    if isinstance(found.op, o.Multiply):
        return Affine(found.x, array, np.zeros_like(array))
    return Affine(found.x, np.ones_like(array), array)


def apply_to_result(found: Contraction, affine: Affine) -> Value | None:
    """`found(x) * scale + shift` as one convolution or dense; constants lie along the last axis."""
    type_ = affine.x.tensor_type
    kernel, bias = array_of(found.kernel), array_of(found.bias)
    scale, shift = (along_last_axis(array, type_) for array in (affine.scale, affine.shift))
    if kernel is None or scale is None or shift is None or found.residual is not None:
        return None
    if found.bias is not None and bias is None:
        return None
    new_bias = shift if bias is None else _wide(bias) * scale + shift
    return _with_weights(found, _wide(kernel) * scale, new_bias, affine.x.name)


def apply_to_operand(found: Contraction, affine: Affine, name: str) -> Value | None:
    """`found(x * scale + shift)` as one convolution or dense on x, unless padding meets a shift."""
    kernel, bias = array_of(found.kernel), array_of(found.bias)
    scale, shift = (
        along_last_axis(array, affine.x.tensor_type) for array in (affine.scale, affine.shift)
    )
    if (
        kernel is None
        or scale is None
        or shift is None
        or (found.bias is not None and bias is None)
    ):
        return None
    if np.any(shift) and is_padded(found):
        return None
    groups = found.op.groups if isinstance(found.op, o.Convolution) else 1
    *window, channels, filters = kernel.shape
    # *window, C/G, F -> window, C/G, G, F/G
    grouped = _wide(kernel).reshape(prod(window), channels, groups, filters // groups)
    scales, shifts = (array.reshape(groups, channels).T[:, :, None] for array in (scale, shift))
    sums = (grouped * shifts).sum(axis=(0, 1)).reshape(filters)
    new_bias = sums if bias is None else _wide(bias) + sums
    new = found._replace(x=affine.x)
    return _with_weights(new, (grouped * scales).reshape(kernel.shape), new_bias, name)


def is_padded(found: Contraction) -> bool:
    """Whether a convolution may read zeros from outside its operand."""
    op = found.op
    if not isinstance(op, o.Convolution) or op.padding == "valid":
        return False
    spatial = found.x.ndim - 2
    lengths, window = found.x.shape[1:-1], found.kernel.shape[:-2]
    if op.padding == "same" and not is_static(lengths):
        return any(length != 1 for length in window)
    pairs = explicit_padding(
        lengths, window, op.all_strides(spatial), op.all_dilation(spatial), op.padding
    )
    return any(amount != 0 for pair in pairs for amount in pair)


def source_of(found: Contraction, uses: Uses) -> tuple[Value, list[Value]]:
    """What `found` reads behind reshapes and transposes that it alone reads, and these in order."""
    path: list[Value] = []
    source = found.x
    while isinstance(source.op, o.Reshape | o.Transpose) and uses[source] == 1:
        path.insert(0, source)
        source = source.operands[0]
    return source, path


def loses_few_digits(shift: Array) -> bool:
    """Whether x * scale may be summed up before the shift is added."""
    return bool(np.abs(shift).max(initial=0) <= LARGEST_SHIFT)


def carried(affine: Affine, path: list[Value]) -> Affine | None:
    """The same constants after the reshapes and transposes in `path`."""
    scale, shift = affine.scale, affine.shift
    result: Value | None = None
    for value in path:
        source = value.operands[0].tensor_type
        arrays = [_moved(value, source, array) for array in (scale, shift)]
        if arrays[0] is None or arrays[1] is None:
            return None
        scale, shift = arrays[0], arrays[1]
        result = value.op(affine.x if result is None else result, name=value.name)
    return Affine(affine.x if result is None else result, scale, shift)


def _moved(value: Value, source: TensorType, array: Array) -> Array | None:
    if isinstance(value.op, o.Transpose):
        return array.transpose(value.op.permutation)
    if array.size == 1:
        return array.reshape((1,) * value.ndim)
    # leading axes stay and trailing ones merge into one, as Flatten does
    kept = value.ndim - 1
    if source.shape[:kept] != value.shape[:kept] or any(
        length != 1 for length in array.shape[:kept]
    ):
        return None
    if kept == source.ndim or not is_static(source.shape[kept:]):
        return None
    merged = tuple(map(known_dim, source.shape[kept:]))
    return np.broadcast_to(array, (*array.shape[:kept], *merged)).reshape(*array.shape[:kept], -1)


def _with_weights(found: Contraction, kernel: Array, bias: Array, name: str) -> Value | None:
    dtype = found.kernel.tensor_type.numpy_dtype
    with np.errstate(over="ignore"):
        arrays = [kernel.astype(dtype), bias.astype(dtype)]
    if not all(np.isfinite(array.astype(np.float32)).all() for array in arrays):
        return None
    new_kernel = constant_like(arrays[0], found.kernel, found.kernel.name)
    new_bias = None
    if found.bias is not None or np.any(arrays[1]):
        bias_name = found.bias.name if found.bias is not None else f"{name}_bias"
        new_bias = constant_like(arrays[1], found.kernel, bias_name)
    return found.op(found.x, new_kernel, new_bias, found.residual)


def _wide(array: Array | None) -> Array:
    return np.asarray(array).astype(np.float64)
