"""Windows over spatial axes: the attributes that convolution and pooling share, and padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.shapes import dim_tensor
from kerac.ir import Dim, numpy_dtype
from kerac.ir.ops.window import Padding, explicit_padding
from kerac.ir.types import Shape

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Windows:
    """Windows over axes of `lengths`; each field has one entry for each spatial axis."""

    lengths: Shape
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Padding

    @property
    def depend_on_lengths(self) -> bool:
        """Whether "same" padding is known only when the model runs."""
        pairs = zip(self.lengths, self.strides, strict=True)
        return self.padding == "same" and any(
            isinstance(length, Dim) and stride > 1 for length, stride in pairs
        )

    @property
    def can_pad_automatically(self) -> bool:
        """Whether runtimes get auto_pad right: not with dilation, nor with gaps between windows."""
        gaps = any(stride > size for stride, size in zip(self.strides, self.sizes, strict=True))
        return max(self.dilation) == 1 and not gaps

    @property
    def attributes(self) -> dict[str, Any]:
        """All but the padding."""
        attributes = {"kernel_shape": list(self.sizes), "strides": list(self.strides)}
        if max(self.dilation) > 1:
            attributes["dilations"] = list(self.dilation)
        return attributes


def apply_windows(
    emit: Emitter,
    op_type: str,
    windows: Windows,
    *names: str,
    outside: float,
    dtype: str,
    **others: Any,
) -> str:
    """A node on `names`, the first one channels first, which is padded with `outside`."""
    name, *rest = names
    attributes = {**windows.attributes, **others}
    if not windows.depend_on_lengths:
        attributes["pads"] = _pads(windows)
    elif windows.can_pad_automatically:
        attributes["auto_pad"] = "SAME_UPPER"
    else:
        name = _pad(emit, name, _same_amounts(emit, windows), outside, dtype)
    return emit.node(op_type, name, *rest, **attributes)


def pad_spatial(emit: Emitter, name: str, pairs: Pairs, outside: float, dtype: str) -> str:
    """`name`, channels first, with `outside` around its spatial axes."""
    befores, afters = zip(*pairs, strict=True)
    return _pad(emit, name, emit.integers(0, 0, *befores, 0, 0, *afters), outside, dtype)


def _pads(windows: Windows) -> list[int]:
    pairs = explicit_padding(
        windows.lengths, windows.sizes, windows.strides, windows.dilation, windows.padding
    )
    return [int(amount) for amounts in zip(*pairs, strict=True) for amount in amounts]


def _pad(emit: Emitter, name: str, amounts: str, outside: float, dtype: str) -> str:
    return emit.node("Pad", name, amounts, emit.constant(outside, numpy_dtype(dtype)))


def _same_amounts(emit: Emitter, windows: Windows) -> str:
    """What "same" means for lengths that are not known: max(needed, 0), the odd one after."""
    two, zero = emit.integers(2), emit.integers(0)
    befores, afters = [], []
    axes = zip(windows.lengths, windows.sizes, windows.strides, windows.dilation, strict=True)
    for length, size, stride, step in axes:
        needed = ((length + stride - 1) // stride - 1) * stride + (size - 1) * step + 1 - length
        total = emit.node("Max", dim_tensor(emit, needed), zero)
        befores.append(emit.node("Div", total, two))
        afters.append(emit.node("Sub", total, befores[-1]))
    outer = emit.integers(0, 0)
    return emit.node("Concat", outer, *befores, outer, *afters, axis=0)
