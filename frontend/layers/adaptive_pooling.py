"""Pooling to a size: windows are as large as it takes, and may share elements."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import InternalError, ShapeError
from kerac.layers.base import Layer, as_float
from kerac.layers.data_format import GivenDataFormat, from_last, to_last
from kerac.layers.spatial import Sizes, check_ndim, sizes


class AdaptivePooling(Layer, registered=False):
    """Each channel for itself; result i of n is of the elements from i*L/n on to (i+1)*L/n.

    inputs: f32[N, *spatial, C] -> f32[N, *output_size, C]
    """

    rank: ClassVar[int]

    output_size: Sizes
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        self.output_size = sizes(self, "output_size", self.rank)
        self.data_format = self.data_format or "channels_last"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_ndim(input_shape, self.rank + 2)

    def call(self, inputs: Value) -> Any:
        x = inputs if inputs.tensor_type.is_float else as_float(inputs)
        x = to_last(x, self.data_format)
        for axis, count in enumerate(self.output_size, 1):  # type: ignore[arg-type]
            length = x.shape[axis]
            if not isinstance(length, int):
                raise ShapeError(
                    f"lengths must be known to be pooled to {self.output_size}, "
                    f"but axis {axis} is {length}",
                    remedy="Give the model an Input with its sizes.",
                )
            if length != count:
                # the axis first: its elements are taken by number
                order = (axis, *(other for other in range(x.ndim) if other != axis))
                back = tuple(order.index(other) for other in range(x.ndim))
                pooled = self.pool(ops.transpose(x, order), windows(length, count))
                x = ops.transpose(pooled, back)
        return from_last(x, self.data_format)

    def pool(self, x: Value, ends: list[tuple[int, int]]) -> Value:
        """x: f32[L, ...] -> f32[len(ends), ...]"""
        raise InternalError(f"{type(self).__name__} does not pool")


def windows(length: int, count: int) -> list[tuple[int, int]]:
    """Where each of `count` windows begins and ends; they cover all elements."""
    return [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


class _Average(AdaptivePooling, registered=False):
    """Means of the windows, by a product with how much each element counts."""

    def pool(self, x: Value, ends: list[tuple[int, int]]) -> Value:
        length, *others = x.shape
        shares = np.zeros((length, len(ends)), np.float32)
        for place, (start, stop) in enumerate(ends):
            shares[start:stop, place] = 1 / (stop - start)
        last = (*range(1, x.ndim), 0)
        product = ops.dense(ops.transpose(x, last), ops.constant(shares, x.dtype))
        return ops.transpose(product, (x.ndim - 1, *range(len(others))))


class _Maximum(AdaptivePooling, registered=False):
    """The largest elements of the windows; shorter windows have their last one twice."""

    def pool(self, x: Value, ends: list[tuple[int, int]]) -> Value:
        most = max(stop - start for start, stop in ends)
        places = [[min(start + n, stop - 1) for n in range(most)] for start, stop in ends]
        return ops.reduce_max(ops.gather(x, ops.constant(np.array(places, np.int32))), (1,))


class AdaptiveAveragePooling1D(_Average):
    """Means of sequences of any length."""

    rank = 1


class AdaptiveAveragePooling2D(_Average):
    """Means of images of any size."""

    rank = 2


class AdaptiveAveragePooling3D(_Average):
    """Means of volumes of any size."""

    rank = 3


class AdaptiveMaxPooling1D(_Maximum):
    """Largest elements of sequences of any length."""

    rank = 1


class AdaptiveMaxPooling2D(_Maximum):
    """Largest elements of images of any size."""

    rank = 2


class AdaptiveMaxPooling3D(_Maximum):
    """Largest elements of volumes of any size."""

    rank = 3
