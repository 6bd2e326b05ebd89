"""Padding of windows, for convolution and pooling: as attributes, or as a Pad before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.shapes import dim_tensor
from kerac.ir import Dim, DimLike, numpy_dtype
from kerac.ir.ops.window import Padding, explicit_padding


def depends_on_length(spatial: Sequence[DimLike], strides: Sequence[int], padding: Padding) -> bool:
    """Whether "same" padding is known only when the model runs."""
    pairs = zip(spatial, strides, strict=True)
    return padding == "same" and any(
        isinstance(length, Dim) and stride > 1 for length, stride in pairs
    )


def padding_attributes(
    spatial: Sequence[DimLike],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
) -> dict[str, Any]:
    """`pads`, or `auto_pad` where the padding depends on a length that is not known."""
    if depends_on_length(spatial, strides, padding):
        return {"auto_pad": "SAME_UPPER"}
    pairs = explicit_padding(tuple(spatial), window, strides, dilation, padding)
    return {"pads": [*(before for before, _ in pairs), *(after for _, after in pairs)]}


def pad_dynamically(
    emit: Emitter,
    name: str,
    spatial: Sequence[DimLike],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> str:
    """`name`, channels first, with the zeros that "same" means where lengths are not known."""
    two, zero = emit.integers(2), emit.integers(0)
    befores, afters = [], []
    for length, size, stride, step in zip(spatial, window, strides, dilation, strict=True):
        needed = ((length + stride - 1) // stride - 1) * stride + (size - 1) * step + 1 - length
        total = emit.node("Max", dim_tensor(emit, needed), zero)
        befores.append(emit.node("Div", total, two))
        afters.append(emit.node("Sub", total, befores[-1]))
    outer = emit.integers(0, 0)
    amounts = emit.node("Concat", outer, *befores, outer, *afters, axis=0)
    return emit.node("Pad", name, amounts)


def pad_spatial(
    emit: Emitter, name: str, pairs: Sequence[tuple[int, int]], value: float, dtype: str
) -> str:
    """`name`, channels first, with `value` around its spatial axes."""
    amounts = [0, 0, *(before for before, _ in pairs), 0, 0, *(after for _, after in pairs)]
    return emit.node("Pad", name, emit.integers(*amounts), emit.constant(value, numpy_dtype(dtype)))
