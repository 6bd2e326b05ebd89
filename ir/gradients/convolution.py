"""Gradients of convolutions: with respect to x another convolution, the kernel turned round."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.ir import ops as o
from kerac.ir.dims import Dim
from kerac.ir.gradients.contraction import before_epilogue, to_bias
from kerac.ir.gradients.movement import between, spread
from kerac.ir.gradients.registry import Applied, Cotangents, gradient_of
from kerac.ir.graph import Value
from kerac.ir.ops.window import DimPairs, explicit_padding, known_pairs
from kerac.ir.transposed_convolution import transposed_convolution
from kerac.ir.types import Shape

Pair = tuple[int, int]


@gradient_of(o.Convolution)
def convolution(at: Applied) -> Cotangents:
    """Of x: a convolution of the cotangent; of the kernel: products over all positions."""
    x, kernel, bias, residual = (*at.inputs, None, None)[:4]
    if x is None or kernel is None:
        return ()
    op: o.Convolution = at.op
    spatial = x.ndim - 2
    window: tuple[int, ...] = kernel.shape[:-2]
    strides, dilation = op.all_strides(spatial), op.all_dilation(spatial)
    padding = explicit_padding(x.shape[1:-1], window, strides, dilation, op.padding)
    g = before_epilogue(at)
    to_kernel = o.ConvolutionKernelGradient(window, strides, dilation, op.groups)
    return (
        spread_back(g, kernel, x.shape[1:-1], strides, dilation, padding, op.groups),
        to_kernel(padded(x, padding), g),
        to_bias(g, bias),
        None if residual is None else g,
    )


def padded(x: Value, padding: DimPairs, number: float = 0.0) -> Value:
    """x with so many elements of `number` around its spatial axes."""
    known = known_pairs(padding)
    if known is not None:
        return o.Pad(((0, 0), *known, (0, 0)), number)(x) if any(map(any, known)) else x
    for axis, amounts in enumerate(padding, start=1):
        x = between(x, axis, amounts, number)
    return x


def without_padding(wide: Value, padding: DimPairs, lengths: Shape) -> Value:
    """The middle of what `padded` put around `lengths`."""
    start = tuple(before for before, _ in padding)
    stop = tuple(before + length for before, length in zip(start, lengths, strict=True))
    return o.Slice((0, *start, 0), (wide.shape[0], *stop, wide.shape[-1]))(wide)


def spread_back(
    g: Value,
    kernel: Value,
    lengths: Shape,
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: DimPairs,
    groups: int,
) -> Value:
    """Each element of g times the kernel, added up where a convolution of `lengths` read it.

    g: t[N, *positions, F], kernel: t[*window, C/groups, F] -> t[N, *lengths, C]
    """
    known = known_pairs(padding)
    if known is None:
        wide = tuple(n + a + b for n, (a, b) in zip(lengths, padding, strict=True))
        none = ((0, 0),) * len(lengths)
        back = spread_back(g, kernel, wide, strides, dilation, none, groups)
        return without_padding(back, padding, lengths)
    if max(strides) > 1 and max(dilation) == 1:
        before = [pair[0] for pair in known]
        return transposed_convolution(g, kernel, lengths, strides, before, groups)
    around: list[Pair] = []
    for axis, (length, stride) in enumerate(zip(lengths, strides, strict=True), start=1):
        extent = (kernel.shape[axis - 1] - 1) * dilation[axis - 1]
        if stride > 1:
            count = (g.shape[axis] - 1) * stride + 1
            g = o.slice_axis(spread(g, axis, stride), axis, 0, count)
        before = extent - known[axis - 1][0]
        after = length + extent - g.shape[axis] - before
        if isinstance(after, Dim):
            # what the last window leaves over, at most one step less one element
            after = extent - known[axis - 1][1] + stride - 1
        if before < 0 or after < 0:
            stop = g.shape[axis] + min(after, 0)
            g = o.slice_axis(g, axis, max(-before, 0), stop)
        around.append((max(before, 0), max(after, 0)))
    turned = turned_kernel(kernel, groups)
    result = o.Convolution(padding=tuple(around), dilation=tuple(dilation), groups=groups)(
        g, turned
    )
    for axis, length in enumerate(lengths, start=1):
        if result.shape[axis] != length:
            result = o.slice_axis(result, axis, 0, length)
    return result


def turned_kernel(kernel: Value, groups: int) -> Value:
    """The kernel from filters to channels: t[*window, C/G, F] -> t[*window, F/G, C], reversed."""
    *window, channels, filters = kernel.shape
    axes = tuple(range(len(window)))
    turned = o.reverse(kernel, axes) if any(length > 1 for length in window) else kernel
    end = len(window)
    if groups == 1:
        return o.transpose(turned, (*axes, end + 1, end))
    split = o.reshape(turned, (*window, channels, groups, filters // groups))
    exchanged = o.transpose(split, (*axes, end + 2, end + 1, end))
    return o.reshape(exchanged, (*window, filters // groups, groups * channels))


@gradient_of(o.ConvolutionKernelGradient)
def convolution_kernel_gradient(at: Applied) -> Cotangents:
    """It is linear in both: a convolution with the cotangent as kernel, and its own gradient."""
    x, g = at.result.operands
    op: o.ConvolutionKernelGradient = at.op
    valid = ((0, 0),) * len(op.window)
    return (
        spread_back(g, at.cotangent, x.shape[1:-1], op.strides, op.dilation, valid, op.groups),
        _to_positions(x, at.cotangent, g, op),
    )


def _to_positions(x: Value, kernel: Value, g: Value, op: o.ConvolutionKernelGradient) -> Value:
    result = o.Convolution(strides=op.strides, dilation=op.dilation, groups=op.groups)(x, kernel)
    return result if result.shape == g.shape else o.Slice((0,) * g.ndim, g.shape)(result)
