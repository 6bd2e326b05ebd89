"""Windows that slide over spatial axes: the arithmetic that convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np

from kerac.ir.dims import Dim, DimLike
from kerac.ir.errors import ShapeError
from kerac.ir.ops.movement import Pairs
from kerac.ir.types import Shape

# "valid", "same" as TensorFlow means it, or (before, after) for each spatial axis
Padding = str | Pairs

# the same for each spatial axis, where it may depend on a length that is a symbol
DimPairs = tuple[tuple[DimLike, DimLike], ...]


def output_length(
    length: DimLike, window: DimLike, stride: int, dilation: int, padding: str | tuple[int, int]
) -> DimLike:
    """Number of window positions along an axis."""
    if padding == "same":
        return (length + stride - 1) // stride
    before, after = (0, 0) if isinstance(padding, str) else padding
    extent = (window - 1) * dilation + 1
    positions = length + before + after - extent
    if not isinstance(positions, Dim) and positions < 0:
        raise ShapeError(
            f"the window covers {extent} elements, but the axis has {length + before + after}"
        )
    return positions // stride + 1


def output_shape(
    spatial: Shape,
    window: Sequence[DimLike],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
) -> Shape:
    """Numbers of window positions along all spatial axes."""
    return tuple(
        output_length(length, extent, stride, spread, axis_padding(padding, axis))
        for axis, (length, extent, stride, spread) in enumerate(
            zip(spatial, window, strides, dilation, strict=True)
        )
    )


def axis_padding(padding: Padding, axis: int) -> str | tuple[int, int]:
    """The padding of one axis."""
    return padding if isinstance(padding, str) else padding[axis]


def same_padding(
    length: DimLike, window: int, stride: int, dilation: int
) -> tuple[DimLike, DimLike]:
    """(before, after) that TensorFlow's "same" means; exact also where the length is a symbol."""
    beyond = (window - 1) * dilation  # elements that a window takes after its first one
    total = beyond - _after_last_start(length, stride, beyond)
    return total // 2, total - total // 2


def _after_last_start(length: DimLike, stride: int, most: int) -> DimLike:
    """Elements after the one where the last window starts, but not more than `most`."""
    count = (length - 1) % stride
    if not isinstance(count, Dim):
        return min(count, most)
    if most >= stride - 1:
        return count
    # the number of those n from 1 to `most` that `count` reaches: polynomials know no minimum
    reached = [(length - 1 + stride - n) // stride for n in range(1, most + 1)]
    return sum(reached, start=0) - most * ((length - 1) // stride)


@overload
def explicit_padding(
    spatial: tuple[int, ...],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
) -> Pairs: ...


@overload
def explicit_padding(
    spatial: Shape,
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
) -> DimPairs: ...


def explicit_padding(
    spatial: Shape,
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
) -> DimPairs:
    """`padding` as (before, after) for each spatial axis."""
    if not isinstance(padding, str):
        return padding
    if padding == "valid":
        return ((0, 0),) * len(spatial)
    return tuple(map(same_padding, spatial, window, strides, dilation))


def known_pairs(padding: DimPairs) -> Pairs | None:
    """`padding` in numbers; None where an amount depends on a symbol."""
    known = tuple((a, b) for a, b in padding if isinstance(a, int) and isinstance(b, int))
    return known if len(known) == len(padding) else None


def check_window(padding: Padding, spatial: int, **attributes: Sequence[int]) -> None:
    """Each attribute needs one positive entry a spatial axis; padding must be of a known kind."""
    for name, entries in attributes.items():
        if len(entries) != spatial or any(entry < 1 for entry in entries):
            raise ShapeError(f"{name} must be {spatial} positive numbers, but is {tuple(entries)}")
    if isinstance(padding, str):
        if padding not in ("valid", "same"):
            raise ShapeError(f'padding must be "valid", "same" or pairs, but is {padding!r}')
    elif len(padding) != spatial or any(len(pair) != 2 or min(pair) < 0 for pair in padding):
        raise ShapeError(f"padding must be {spatial} pairs of numbers >= 0, but is {padding}")


def windows(
    x: np.ndarray, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """View of t[N, *spatial, C] as t[N, *positions, C, *window]."""
    extents = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    axes = tuple(range(1, 1 + len(window)))
    view = np.lib.stride_tricks.sliding_window_view(x, extents, axes)
    inner = tuple(slice(None, None, d) for d in dilation)
    outer = tuple(slice(None, None, s) for s in strides)
    return view[(slice(None), *outer, slice(None), *inner)]
