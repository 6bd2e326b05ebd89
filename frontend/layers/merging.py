"""Layers that make one tensor of several, elementwise, side by side or by products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, InternalError, ShapeError
from kerac.ir.types import widest_float
from kerac.layers.base import Layer, as_float
from kerac.layers.masks import align, any_along, mask_of
from kerac.layers.reshaping import product
from kerac.tracing import need_equal

EPSILON = 1e-7  # Keras's `backend.epsilon()`


def broadcastable(values: list[Value]) -> list[Value]:
    """The same values of one dtype, with lengths equal or 1 on every axis from the last on."""
    values = promoted(values)
    for position in range(1, max(value.ndim for value in values) + 1):
        dims = [value.shape[-position] for value in values if value.ndim >= position]
        dims = [dim for dim in dims if dim != 1]
        for dim in dims[1:]:
            need_equal(dims[0], dim, f"the lengths of axis {-position}")
    return values


def promoted(values: list[Value]) -> list[Value]:
    """The same values of one dtype: where they differ, the widest of their floating-point ones."""
    dtypes = {value.dtype for value in values}
    if len(dtypes) == 1:
        return values
    dtype = widest_float(dtypes) or as_float(values[0]).dtype
    return [ops.cast(value, dtype) for value in values]


class Merge(Layer, registered=False):
    """Base: a function of several tensors, which broadcast; shapes grow behind the batch."""

    supports_masking = True
    at_least: ClassVar[int] = 1

    def call(self, inputs: Any) -> Any:
        values = self.checked(inputs)
        ndim = max(value.ndim for value in values)
        values = [
            ops.reshape(v, (v.shape[0], *(1,) * (ndim - v.ndim), *v.shape[1:])) if v.ndim else v
            for v in values
        ]
        return self.merge(broadcastable(values))

    def checked(self, inputs: Any) -> list[Value]:
        """The inputs, which must be a list."""
        if not isinstance(inputs, list | tuple):
            raise CompileError("takes a list of tensors, but got one tensor")
        if not all(isinstance(x, Value) for x in inputs):
            raise CompileError("takes a list of tensors, but it holds something else")
        if len(inputs) < self.at_least:
            raise CompileError(f"takes {self.at_least} tensors or more, but got {len(inputs)}")
        return list(inputs)

    def merge(self, values: list[Value]) -> Value:
        """The function of values of one dtype and number of axes."""
        raise InternalError(f"{type(self).__name__} does not merge")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if not isinstance(previous_mask, list | tuple) or any(m is None for m in previous_mask):
            return None
        result = previous_mask[0]
        for mask in previous_mask[1:]:
            result = ops.LogicalOr()(result, mask)
        return result


class Add(Merge):
    """The sum."""

    def merge(self, values: list[Value]) -> Value:
        total = values[0]
        for value in values[1:]:
            total = ops.add(total, value)
        return total


class Subtract(Merge):
    """The first minus the second."""

    at_least = 2

    def merge(self, values: list[Value]) -> Value:
        if len(values) != 2:
            raise CompileError(f"takes 2 tensors, but got {len(values)}")
        return ops.subtract(*values)


class Multiply(Merge):
    """The product; masked elements count as 1, and are 0 where all are masked."""

    def merge(self, values: list[Value]) -> Value:
        masks = [mask_of(value) for value in values]
        one, zero = (ops.constant(number, values[0].dtype) for number in (1, 0))
        result, kept = None, None
        for value, mask in zip(values, masks, strict=True):
            if mask is not None:
                mask = align(mask, value)
                value = ops.select(mask, value, one)
                kept = mask if kept is None else ops.LogicalOr()(kept, mask)
            result = value if result is None else ops.multiply(result, value)
        assert result is not None  # noqa: S101
        if kept is None or any(mask is None for mask in masks):
            return result
        return ops.select(kept, result, zero)


class Average(Merge):
    """The arithmetic mean."""

    def merge(self, values: list[Value]) -> Value:
        total = as_float(values[0])
        for value in values[1:]:
            total = ops.add(total, as_float(value))
        return ops.multiply(total, 1.0 / len(values))


class _Extreme(Merge):
    """Base: the one of several that is larger or smaller; masked elements give way to others."""

    op: ClassVar[type[ops.Binary]]

    def merge(self, values: list[Value]) -> Value:
        result, kept = values[0], mask_of(values[0])
        kept = None if kept is None else align(kept, result)
        for value in values[1:]:
            mask = mask_of(value)
            mask = None if mask is None else align(mask, value)
            if mask is not None:
                value = ops.select(mask, value, result)
            if kept is not None:
                result = ops.select(kept, result, value)
            both = mask is not None and kept is not None
            kept = ops.LogicalOr()(kept, mask) if both else None
            result = self.op()(result, value)
        return result


class Maximum(_Extreme):
    """The largest."""

    op = ops.Maximum


class Minimum(_Extreme):
    """The smallest."""

    op = ops.Minimum


class CustomScaleLayer(Merge):
    """The first of two tensors plus the second times `scale`.

    A layer of InceptionResNetV2 in `keras.applications`.
    """

    module: ClassVar[str] = "keras.src.applications.inception_resnet_v2"
    at_least = 2
    supports_masking = False

    scale: float

    def merge(self, values: list[Value]) -> Value:
        one, other = values
        return ops.add(one, ops.multiply(other, self.scale))


class Concatenate(Merge):
    """One after the other along `axis`."""

    axis: int = -1

    def call(self, inputs: Any) -> Any:
        return joined(self.checked(inputs), self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if not isinstance(previous_mask, list | tuple) or all(m is None for m in previous_mask):
            return None
        masks = []
        for value, mask in zip(inputs, previous_mask, strict=True):
            if mask is None:
                masks.append(ops.broadcast_to(ops.constant(True, "bool"), value.shape))
            elif mask.ndim < value.ndim:
                wide = ops.reshape(mask, (*mask.shape, 1))
                masks.append(ops.broadcast_to(wide, value.shape))
            else:
                masks.append(mask)
        return any_along(ops.concatenate(masks, self.axis), masks[0].ndim - 1)


class Dot(Merge):
    """Products of two tensors summed over one axis of each, sample by sample.

    x: t[N, ..., K, ...], y: t[N, ..., K, ...] -> t[N, rest of x, rest of y], or t[N, 1] for vectors
    """

    axes: int | tuple[int, int]
    normalize: bool = False

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config | {"axes": list(self.axes) if isinstance(self.axes, tuple) else self.axes}

    def call(self, inputs: Any) -> Any:
        values = self.checked(inputs)
        if len(values) != 2:
            raise CompileError(f"takes 2 tensors, but got {len(values)}")
        given = (self.axes,) * 2 if isinstance(self.axes, int) else self.axes
        axes = []
        for value, axis in zip(values, given, strict=True):
            if not -value.ndim <= axis < value.ndim or axis % value.ndim == 0:
                raise ShapeError(f"axis {axis} of {value.type} cannot be summed over")
            axes.append(axis % value.ndim)
        x, y = map(as_float, values)
        what = f"lengths of the axes {axes[0]} and {axes[1]}"
        need_equal(x.shape[axes[0]], y.shape[axes[1]], what)
        need_equal(x.shape[0], y.shape[0], "batches")
        if self.normalize:
            x, y = (unit_length(v, (axis,)) for v, axis in zip((x, y), axes, strict=True))
        return _batch_dot(x, y, axes[0], axes[1])

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


def joined(values: list[Value], axis: int) -> Value:
    """Values one after the other along an axis; their other lengths must be equal."""
    ndim = values[0].ndim
    if any(value.ndim != ndim for value in values) or not -ndim <= axis < ndim:
        types = ", ".join(str(value.type) for value in values)
        raise ShapeError(f"cannot concatenate {types} along axis {axis}")
    return concatenated(promoted(values), axis % ndim)


def concatenated(values: Sequence[Value], axis: int) -> Value:
    """Values of one dtype and rank one after the other; lengths that are not known become equal."""
    ndim = values[0].ndim
    for other in values[1:]:
        for place in range(ndim):
            if place != axis:
                what = f"lengths of axis {place}, which is not concatenated,"
                need_equal(values[0].shape[place], other.shape[place], what)
    return ops.concatenate(list(values), axis)


def _batch_dot(x: Value, y: Value, x_axis: int, y_axis: int) -> Value:
    x_rest = [axis for axis in range(1, x.ndim) if axis != x_axis]
    y_rest = [axis for axis in range(1, y.ndim) if axis != y_axis]
    left = ops.transpose(x, (0, *x_rest, x_axis))
    right = ops.transpose(y, (0, y_axis, *y_rest))
    batch, length = x.shape[0], x.shape[x_axis]
    x_dims, y_dims = left.shape[1:-1], right.shape[2:]
    result = ops.matmul(
        ops.reshape(left, (batch, product(x_dims), length)),
        ops.reshape(right, (batch, length, product(y_dims))),
    )
    return ops.reshape(result, (batch, *x_dims, *y_dims) if x_dims or y_dims else (batch, 1))


def unit_length(x: Value, axes: tuple[int, ...], epsilon: float = EPSILON) -> Value:
    """x / sqrt(sum of its squares along axes), x / epsilon where that is smaller."""
    squares = ops.reduce_sum(ops.Square()(x), axes, keepdims=True)
    return ops.multiply(x, ops.minimum(ops.Rsqrt()(squares), 1 / epsilon))


def add(inputs: Any, **keywords: Any) -> Any:
    """The sum of several tensors."""
    return Add(**keywords)(inputs)


def subtract(inputs: Any, **keywords: Any) -> Any:
    """The first of two tensors minus the second."""
    return Subtract(**keywords)(inputs)


def multiply(inputs: Any, **keywords: Any) -> Any:
    """The product of several tensors."""
    return Multiply(**keywords)(inputs)


def average(inputs: Any, **keywords: Any) -> Any:
    """The mean of several tensors."""
    return Average(**keywords)(inputs)


def maximum(inputs: Any, **keywords: Any) -> Any:
    """The largest of several tensors."""
    return Maximum(**keywords)(inputs)


def minimum(inputs: Any, **keywords: Any) -> Any:
    """The smallest of several tensors."""
    return Minimum(**keywords)(inputs)


def concatenate(inputs: Any, axis: int = -1, **keywords: Any) -> Any:
    """Several tensors one after the other."""
    return Concatenate(axis=axis, **keywords)(inputs)


def dot(inputs: Any, axes: Any = -1, **keywords: Any) -> Any:
    """Products of two tensors summed over one axis of each."""
    return Dot(axes=axes, **keywords)(inputs)
