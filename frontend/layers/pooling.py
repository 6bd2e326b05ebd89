"""Maximum and mean over windows, and over all of an input at once."""

from __future__ import annotations

from typing import Any, ClassVar

from kerac.ir import Value, ops
from kerac.layers.base import Layer, as_float
from kerac.layers.data_format import GivenDataFormat, from_last, spatial_axes, to_last
from kerac.layers.masks import as_bool, check_mask
from kerac.layers.spatial import Padding, Sizes, check_ndim, sizes


class Pooling(Layer, registered=False):
    """Each channel for itself, one result a window; padding takes no part.

    inputs: f32[N, *spatial, C] -> f32[N, *positions, C]
    """

    rank: ClassVar[int]
    op: ClassVar[type[ops.Pool]]

    pool_size: Sizes
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        self.pool_size = sizes(self, "pool_size", self.rank)
        self.strides = self.pool_size if self.strides is None else sizes(self, "strides", self.rank)
        self.data_format = self.data_format or "channels_last"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_ndim(input_shape, self.rank + 2)

    def call(self, inputs: Value) -> Value:
        x = to_last(as_float(inputs), self.data_format)
        pooled = self.op(window=self.pool_size, strides=self.strides, padding=self.padding)(x)  # type: ignore[arg-type]
        return from_last(pooled, self.data_format)


class MaxPooling1D(Pooling):
    """The largest element of each window along one axis."""

    rank, op = 1, ops.MaxPool
    pool_size = 2


class MaxPooling2D(Pooling):
    """The largest element of each window of an image."""

    rank, op = 2, ops.MaxPool
    pool_size = (2, 2)


class MaxPooling3D(Pooling):
    """The largest element of each window of a volume."""

    rank, op = 3, ops.MaxPool
    pool_size = (2, 2, 2)


class AveragePooling1D(Pooling):
    """The mean of each window along one axis."""

    rank, op = 1, ops.AveragePool


class AveragePooling2D(Pooling):
    """The mean of each window of an image."""

    rank, op = 2, ops.AveragePool


class AveragePooling3D(Pooling):
    """The mean of each window of a volume."""

    rank, op = 3, ops.AveragePool


class GlobalPooling(Layer, registered=False):
    """Each channel for itself, one result for all positions.

    inputs: f32[N, *spatial, C] -> f32[N, C], or f32[N, 1, ..., C] with `keepdims`
    """

    rank: ClassVar[int]
    reduction: ClassVar[type[ops.Reduction]]

    data_format: GivenDataFormat = None
    keepdims: bool = False

    def __post_init__(self) -> None:
        self.data_format = self.data_format or "channels_last"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_ndim(input_shape, self.rank + 2)

    def axes(self) -> tuple[int, ...]:
        """The spatial axes."""
        return spatial_axes(self.rank + 2, self.data_format)

    def call(self, inputs: Value) -> Value:
        return self.reduction(self.axes(), self.keepdims)(as_float(inputs))


class GlobalMaxPooling1D(GlobalPooling):
    """The largest element along one axis."""

    rank, reduction = 1, ops.ReduceMax


class GlobalMaxPooling2D(GlobalPooling):
    """The largest element of an image."""

    rank, reduction = 2, ops.ReduceMax


class GlobalMaxPooling3D(GlobalPooling):
    """The largest element of a volume."""

    rank, reduction = 3, ops.ReduceMax


class GlobalAveragePooling1D(GlobalPooling):
    """The mean along one axis of the elements that the mask, bool[N, T], keeps."""

    rank, reduction = 1, ops.ReduceMean

    def call(self, inputs: Value, mask: Value | None = None) -> Value:
        if mask is None:
            return super().call(inputs)
        x = as_float(inputs)
        (steps,) = self.axes()
        check_mask(mask, x, steps)
        batch, length = mask.shape
        kept = ops.reshape(as_bool(mask), (batch, length, 1) if steps == 1 else (batch, 1, length))
        sums = ops.reduce_sum(
            ops.select(kept, x, ops.constant(0.0, x.dtype)), (steps,), self.keepdims
        )
        counts = ops.reduce_sum(ops.cast(kept, x.dtype), (steps,), self.keepdims)
        return ops.divide(sums, counts)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None


class GlobalAveragePooling2D(GlobalPooling):
    """The mean of an image."""

    rank, reduction = 2, ops.ReduceMean


class GlobalAveragePooling3D(GlobalPooling):
    """The mean of a volume."""

    rank, reduction = 3, ops.ReduceMean


MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
