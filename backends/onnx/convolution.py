"""Convolution: ONNX has channels second and kernels as [F, C/groups, *window]."""

from __future__ import annotations

from kerac.backends.onnx.builder import ABSENT
from kerac.backends.onnx.contraction import finish
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import Tensor
from kerac.backends.onnx.order import Order, Orders, channels_first, identity
from kerac.backends.onnx.registry import Result, exports
from kerac.backends.onnx.window import depends_on_length, pad_dynamically, padding_attributes
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
    spatial, window = x.shape[1:-1], kernel.shape[:-2]
    strides, dilation = op.all_strides(len(window)), op.all_dilation(len(window))
    name = emit.tensor(x, order)
    if depends_on_length(spatial, strides, op.padding) and max(dilation) > 1:
        # Runtimes do not combine auto_pad with dilation.
        name = pad_dynamically(emit, name, spatial, window, strides, dilation)
        padding = {"pads": [0] * 2 * len(window)}
    else:
        padding = padding_attributes(spatial, window, strides, dilation, op.padding)
    sums = emit.node(
        "Conv",
        name,
        emit.tensor(kernel, kernel_order(kernel.ndim)),
        ABSENT if bias is None else emit.tensor(bias),
        kernel_shape=list(window),
        strides=list(strides),
        dilations=list(dilation),
        group=op.groups,
        **padding,
    )
    return finish(emit, op, Tensor(emit, sums, x.dtype), residual, order)
