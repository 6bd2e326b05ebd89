"""Orders of axes: `order[i]` is the axis of a value that axis i of its ONNX tensor holds.

The IR keeps channels last, ONNX's convolutions want them second and its recurrent nodes want time
first. A value is therefore kept in the order in which its op yields it, passed on in that order by
ops that do not care, and transposed only where an op does.
"""

from __future__ import annotations

from collections.abc import Sequence

from kerac.ir import DimLike

Order = tuple[int, ...]
Orders = frozenset[Order]

TIME_FIRST: Order = (1, 0, 2)


def identity(ndim: int) -> Order:
    """Axes as they are."""
    return tuple(range(ndim))


def channels_first(ndim: int) -> Order:
    """[N, *spatial, C] as [N, C, *spatial]."""
    return (0, ndim - 1, *range(1, ndim - 1))


def permuted(shape: Sequence[DimLike], order: Order) -> tuple[DimLike, ...]:
    """`shape` in the order of the tensor."""
    return tuple(shape[axis] for axis in order)


def same_layout(shape: Sequence[DimLike], one: Order, other: Order) -> bool:
    """Whether elements lie alike in memory in both orders, because only axes of length 1 move."""
    return [axis for axis in one if shape[axis] != 1] == [
        axis for axis in other if shape[axis] != 1
    ]


def without(order: Order, axes: Sequence[int]) -> Order:
    """The order that is left when `axes` of the value are removed."""
    kept = [axis for axis in range(len(order)) if axis not in axes]
    return tuple(kept.index(axis) for axis in order if axis not in axes)
