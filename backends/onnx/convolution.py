"""Convolution: ONNX has channels second and kernels as [F, C/groups, *window]."""

from __future__ import annotations

from kerac.backends.onnx.builder import ABSENT
from kerac.backends.onnx.contraction import finish
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import Tensor
from kerac.backends.onnx.order import Order, Orders, channels_first, identity
from kerac.backends.onnx.registry import Result, exports
from kerac.backends.onnx.window import Windows, apply_windows
from kerac.ir import Value
from kerac.ir.ops.convolution import Convolution


def kernel_order(ndim: int) -> Order:
    """[*window, C/groups, F] as [F, C/groups, *window]."""
    return (ndim - 1, ndim - 2, *range(ndim - 2))


def convolution_orders(value: Value, operand: Value, wanted: Orders) -> Orders:
    """Channels first for x and residual."""
    if operand is value.inputs[1]:
        return frozenset((kernel_order(operand.ndim),))
    if operand.ndim == value.ndim:
        return frozenset((channels_first(operand.ndim),))
    return frozenset((identity(operand.ndim),))


@exports(Convolution, wants=convolution_orders)
def export_convolution(
    emit: Emitter,
    op: Convolution,
    x: Value,
    kernel: Value,
    bias: Value | None = None,
    residual: Value | None = None,
) -> Result:
    """Conv with the bias, then the rest of the epilogue."""
    order = channels_first(x.ndim)
    sizes = tuple(size for size in kernel.shape[:-2] if isinstance(size, int))
    strides, dilation = op.all_strides(len(sizes)), op.all_dilation(len(sizes))
    sums = apply_windows(
        emit,
        "Conv",
        Windows(x.shape[1:-1], sizes, strides, dilation, op.padding),
        emit.tensor(x, order),
        emit.tensor(kernel, kernel_order(kernel.ndim)),
        ABSENT if bias is None else emit.tensor(bias),
        outside=0,
        dtype=x.dtype,
        group=op.groups,
    )
    return finish(emit, op, Tensor(emit, sums, x.dtype), residual, order)
