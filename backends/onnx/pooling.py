"""Maximum and mean over windows, channels second; elements of the padding take no part."""

from __future__ import annotations

from dataclasses import replace

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import Tensor
from kerac.backends.onnx.order import Orders, channels_first, permuted
from kerac.backends.onnx.registry import Result, exports
from kerac.backends.onnx.shapes import fill, reshape
from kerac.backends.onnx.window import Windows, apply_windows, pad_spatial
from kerac.ir import Value
from kerac.ir.ops.pooling import AveragePool, MaxPool, Pool
from kerac.ir.types import Shape


def pooling_orders(value: Value, operand: Value, wanted: Orders) -> Orders:
    """Channels first."""
    return frozenset((channels_first(operand.ndim),))


def windows_of(op: Pool, x: Value) -> Windows:
    """The windows over x."""
    return Windows(x.shape[1:-1], op.window, op.strides, (1,) * len(op.window), op.padding)


def has_wide_padding(op: Pool) -> bool:
    """Whether a window may lie in the padding alone, which ONNX's pooling does not allow."""
    if isinstance(op.padding, str):
        return False
    return any(max(pair) >= size for pair, size in zip(op.padding, op.window, strict=True))


@exports(MaxPool, wants=pooling_orders)
def export_max_pool(emit: Emitter, op: MaxPool, x: Value) -> Result:
    """MaxPool."""
    order, nothing = channels_first(x.ndim), float("-inf")
    name, windows = emit.tensor(x, order), windows_of(op, x)
    if has_wide_padding(op) and not isinstance(op.padding, str):
        name = pad_spatial(emit, name, op.padding, nothing, x.dtype)
        windows = replace(windows, padding="valid")
    return {order: apply_windows(emit, "MaxPool", windows, name, outside=nothing, dtype=x.dtype)}


@exports(AveragePool, wants=pooling_orders)
def export_average_pool(emit: Emitter, op: AveragePool, x: Value) -> Result:
    """AveragePool where runtimes can do it, else the sum divided by the number of elements."""
    order = channels_first(x.ndim)
    name, windows = emit.tensor(x, order), windows_of(op, x)
    # ONNX Runtime's AveragePool counts wrong, or fails, with auto_pad.
    if not has_wide_padding(op) and not windows.depend_on_lengths:
        return {order: apply_windows(emit, "AveragePool", windows, name, outside=0, dtype=x.dtype)}
    shape = permuted(x.shape, order)
    counted = (1, 1, *shape[2:])
    sums = _window_sums(emit, windows, Tensor(emit, name, x.dtype), shape)
    ones = Tensor(emit, fill(emit, 1.0, counted, x.dtype), x.dtype)
    return {order: (sums / _window_sums(emit, windows, ones, counted)).name}


def _window_sums(emit: Emitter, windows: Windows, x: Tensor, shape: Shape) -> Tensor:
    """Sum over each window of x: a convolution that takes channels one by one."""
    batch, channels, *lengths = shape
    positions = emit.value.shape[1:-1]
    kernel = fill(emit, 1.0, (1, 1, *windows.sizes), x.dtype)
    single = reshape(emit, x.name, shape, (batch * channels, 1, *lengths), x.dtype)
    sums = apply_windows(emit, "Conv", windows, single, kernel, outside=0, dtype=x.dtype)
    old, new = (batch * channels, 1, *positions), (batch, channels, *positions)
    return Tensor(emit, reshape(emit, sums, old, new, x.dtype), x.dtype)
