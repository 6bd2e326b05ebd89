"""Windows over spatial axes: the attributes that convolution and pooling share, and padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.shapes import shape_tensor
from kerac.ir import numpy_dtype
from kerac.ir.ops.window import DimPairs, Padding, explicit_padding, known_pairs
from kerac.ir.types import Shape


@dataclass(frozen=True)
class Windows:
    """Windows over axes of `lengths`; each field has one entry for each spatial axis."""

    lengths: Shape
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Padding

    @property
    def pairs(self) -> DimPairs:
        """The padding as (before, after) for each spatial axis."""
        return explicit_padding(self.lengths, self.sizes, self.strides, self.dilation, self.padding)

    @property
    def depend_on_lengths(self) -> bool:
        """Whether "same" padding is known only when the model runs."""
        return known_pairs(self.pairs) is None

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
        attributes["pads"] = [
            amount for amounts in zip(*windows.pairs, strict=True) for amount in amounts
        ]
    elif windows.can_pad_automatically:
        attributes["auto_pad"] = "SAME_UPPER"
    else:
        name = pad_spatial(emit, name, windows.pairs, outside, dtype)
    return emit.node(op_type, name, *rest, **attributes)


def pad_spatial(emit: Emitter, name: str, pairs: DimPairs, outside: float, dtype: str) -> str:
    """`name`, channels first, with `outside` around its spatial axes."""
    befores, afters = zip(*pairs, strict=True)
    amounts = shape_tensor(emit, (0, 0, *befores, 0, 0, *afters))
    return emit.node("Pad", name, amounts, emit.constant(outside, numpy_dtype(dtype)))
