"""Maximum and mean over windows, channels second; elements of the padding take no part."""

from __future__ import annotations

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import Tensor
from kerac.backends.onnx.order import Orders, channels_first
from kerac.backends.onnx.registry import Result, exports
from kerac.backends.onnx.shapes import fill
from kerac.backends.onnx.window import pad_spatial, padding_attributes
from kerac.ir import Value
from kerac.ir.ops.pooling import AveragePool, MaxPool, Pool


def pooling_orders(value: Value, operand: Value, wanted: Orders) -> Orders:
    """Channels first."""
    return frozenset((channels_first(operand.ndim),))


def has_wide_padding(op: Pool) -> bool:
    """Whether a window may lie in the padding alone, which ONNX's pooling does not allow."""
    if isinstance(op.padding, str):
        return False
    return any(max(pair) >= size for pair, size in zip(op.padding, op.window, strict=True))


def pool(emit: Emitter, op: Pool, op_type: str, name: str, x: Value, padded: bool) -> str:
    """The pooling node itself; without padding where `name` is padded already."""
    ones = [1] * len(op.window)
    attributes = padding_attributes(
        x.shape[1:-1], op.window, op.strides, ones, "valid" if padded else op.padding
    )
    return emit.node(
        op_type, name, kernel_shape=list(op.window), strides=list(op.strides), **attributes
    )


@exports(MaxPool, wants=pooling_orders)
def export_max_pool(emit: Emitter, op: MaxPool, x: Value) -> Result:
    """MaxPool."""
    order = channels_first(x.ndim)
    name, wide = emit.tensor(x, order), has_wide_padding(op)
    if wide:
        name = pad_spatial(emit, name, op.padding, float("-inf"), x.dtype)  # type: ignore[arg-type]
    return {order: pool(emit, op, "MaxPool", name, x, wide)}


@exports(AveragePool, wants=pooling_orders)
def export_average_pool(emit: Emitter, op: AveragePool, x: Value) -> Result:
    """AveragePool; with wide padding the whole window's mean by the share that is no padding."""
    order = channels_first(x.ndim)
    name = emit.tensor(x, order)
    if not has_wide_padding(op):
        return {order: pool(emit, op, "AveragePool", name, x, padded=False)}
    means = []
    for part in (name, fill(emit, 1.0, (1, 1, *x.shape[1:-1]), x.dtype)):
        padded = pad_spatial(emit, part, op.padding, 0.0, x.dtype)  # type: ignore[arg-type]
        means.append(Tensor(emit, pool(emit, op, "AveragePool", padded, x, padded=True), x.dtype))
    return {order: (means[0] / means[1]).name}
