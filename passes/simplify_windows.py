"""Windows that do not slide are plainer ops."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.ir.ops.reduction import Reduction
from kerac.ir.ops.window import explicit_padding
from kerac.ir.types import is_static
from kerac.passes.affine import is_padded
from kerac.passes.base import Pass
from kerac.passes.patterns import (
    Contraction,
    array_of,
    constant_like,
    contraction,
    open_contraction,
)
from kerac.passes.rewrite import Uses


def pool_of_whole_image(value: Value, uses: Uses) -> Value | None:
    """A pool with one window that covers the whole image is a reduction.

    def before(x: f32[N, 7, 7, 4]):
        y = average_pool(x, window=(7, 7), strides=(7, 7))
        return y
    def after(x: f32[N, 7, 7, 4]):
        y = reduce_mean(x, axes=(1, 2), keepdims=True)
        return y
    """
    match value:
        case Value((o.MaxPool() | o.AveragePool()) as op, (Value() as x,)):
            image = x.shape[1:-1]
            covers = all(n == 1 for n in value.shape[1:-1]) and op.window == image
            if covers and not _pads(op, image):
                kind = o.ReduceMax if isinstance(op, o.MaxPool) else o.ReduceMean
                return kind(tuple(range(1, x.ndim - 1)), keepdims=True)(x)
    return None


def pool_of_one_element(value: Value, uses: Uses) -> Value | None:
    """The maximum or mean of one element is that element.

    def before(x: f32[N, 8, 8, 4]):
        y = max_pool(x, window=(1, 1), strides=(2, 2))
        return y
    def after(x: f32[N, 8, 8, 4]):
        y = slice(x, start=(0, 0, 0, 0), stop=(N, 8, 8, 4), step=(1, 2, 2, 1))
        return y
    """
    match value:
        case Value((o.MaxPool() | o.AveragePool()) as op, (Value() as x,)) if set(op.window) == {1}:
            if isinstance(op.padding, str) or not any(n for pair in op.padding for n in pair):
                return o.Slice((0,) * x.ndim, x.shape, (1, *op.strides, 1))(x)
    return None


def _pads(op: o.MaxPool | o.AveragePool, image: tuple[int, ...]) -> bool:
    pairs = explicit_padding(image, op.window, op.strides, (1,) * len(image), op.padding)
    return any(amount != 0 for pair in pairs for amount in pair)


def reduction_of_ones(value: Value, uses: Uses) -> Value | None:
    """To reduce axes of length 1 is to reshape.

    def before(x: f32[N, 1, 7, 4]):
        y = reduce_sum(x, axes=(1,))
        return y
    def after(x: f32[N, 1, 7, 4]):
        y = reshape(x, shape=(N, 7, 4))
        return y
    """
    match value:
        case Value(Reduction(axes), (Value() as x,)) if all(x.shape[axis] == 1 for axis in axes):
            return o.reshape(x, value.shape)
    return None


def padding_of_zeros(value: Value, uses: Uses) -> Value | None:
    """Padding that comes to nothing is none.

    def before(x: f32[N, 8, 8, 4], kernel: f32[1, 1, 4, 6]):
        y = convolution(x, kernel, strides=(2, 2), padding="same")
        z = max_pool(y, window=(2, 2), strides=(2, 2), padding="same")
        return z
    def after(x: f32[N, 8, 8, 4], kernel: f32[1, 1, 4, 6]):
        y = convolution(x, kernel, strides=(2, 2))
        z = max_pool(y, window=(2, 2), strides=(2, 2))
        return z
    """
    op = value.op
    if isinstance(op, o.Convolution) and op.padding != "valid":
        found = contraction(value)
        if found and not is_padded(found) and is_static(found.kernel.shape):
            return replace(op, padding="valid")(*value.inputs)
    if isinstance(op, o.MaxPool | o.AveragePool) and op.padding != "valid":
        image = value.operands[0].shape[1:-1]
        if is_static(image) and not _pads(op, image):
            return replace(op, padding="valid")(*value.inputs)
    return None


def convolution_of_one_pixel(value: Value, uses: Uses) -> Value | None:
    """A convolution with windows of one element on an image of one pixel is a dense.

    def before(x: f32[N, 1, 1, 4]):
        kernel: f32[1, 1, 4, 6] = parameter("kernel")
        y = convolution(x, kernel, activation="relu")
        return y
    def after(x: f32[N, 1, 1, 4]):
        weights: f32[1, 1, 4, 6] = parameter("kernel")
        kernel = reshape(weights, shape=(4, 6))
        y = dense(x, kernel, activation="relu")
        return y
    """
    found = contraction(value)
    array = array_of(found.kernel) if found and _is_dense(found) else None
    if not found or array is None:
        return None
    kernel = constant_like(array.reshape(array.shape[-2:]), found.kernel, found.kernel.name)
    return o.Dense(found.op.activation)(found.x, kernel, found.bias, found.residual)


def mean_before_pointwise(value: Value, uses: Uses) -> Value | None:
    """Take means before a convolution with windows of one element, not after it.

    There are fewer positions to compute then, as between the blocks of a DenseNet.

    def before(x: f32[N, 8, 8, 4], kernel: f32[1, 1, 4, 6]):
        y = convolution(x, kernel)
        z = average_pool(y, window=(2, 2), strides=(2, 2))
        return z
    def after(x: f32[N, 8, 8, 4], kernel: f32[1, 1, 4, 6]):
        y = average_pool(x, window=(2, 2), strides=(2, 2))
        z = convolution(y, kernel)
        return z
    """
    match value:
        case Value(o.AveragePool() as op, (Value() as product,)) if max(op.strides) > 1:
            found = open_contraction(product, uses)
            if found and found.residual is None and _is_pointwise(found):
                mean = op(found.x, name=product.name, origin=value.origin)
                return found.op(mean, found.kernel, found.bias, origin=product.origin)
    return None


def _is_pointwise(found: Contraction) -> bool:
    if not isinstance(found.op, o.Convolution):
        return True
    ones = (*found.kernel.shape[:-2], *found.op.strides)
    return not is_padded(found) and all(length == 1 for length in ones)


def _is_dense(found: Contraction) -> bool:
    ones = (*found.x.shape[1:-1], *found.kernel.shape[:-2])
    plain = isinstance(found.op, o.Convolution) and found.op.groups == 1 and not is_padded(found)
    return plain and all(length == 1 for length in ones)


@dataclass(frozen=True)
class SimplifyWindows(Pass):
    """Replace pools and convolutions whose windows do not slide."""

    rules = (
        pool_of_whole_image, pool_of_one_element, reduction_of_ones, padding_of_zeros,
        convolution_of_one_pixel, mean_before_pointwise,
    )  # fmt: skip
