"""More or fewer elements at the borders of spatial axes."""

from __future__ import annotations

from typing import ClassVar

from kerac.ir import Value, ops
from kerac.ir.dims import Dim
from kerac.ir.errors import ShapeError
from kerac.layers.base import Layer
from kerac.layers.data_format import GivenDataFormat, spatial_axes
from kerac.layers.spatial import Borders, borders, check_ndim, pairs


class ZeroPadding(Layer, registered=False):
    """`padding` = (before, after) zeros along each spatial axis.

    inputs: t[N, *spatial, C] -> t[N, *more, C]
    """

    rank: ClassVar[int]

    padding: Borders = 1
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        self.padding = borders(self, "padding", self.rank)
        self.data_format = self.data_format or "channels_last"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_ndim(input_shape, self.rank + 2)

    def call(self, inputs: Value) -> Value:
        padding = [(0, 0)] * inputs.ndim
        for axis, pair in zip(
            spatial_axes(inputs.ndim, self.data_format), pairs(self.padding), strict=True
        ):
            padding[axis] = pair
        return ops.Pad(tuple(padding))(inputs)


class ZeroPadding1D(ZeroPadding):
    """Zeros around sequences."""

    rank = 1


class ZeroPadding2D(ZeroPadding):
    """Zeros around images."""

    rank = 2


class ZeroPadding3D(ZeroPadding):
    """Zeros around volumes."""

    rank = 3


class Cropping(Layer, registered=False):
    """`cropping` = (before, after) elements taken away along each spatial axis.

    inputs: t[N, *spatial, C] -> t[N, *fewer, C]
    """

    rank: ClassVar[int]

    cropping: Borders = 1

    def __post_init__(self) -> None:
        self.cropping = borders(self, "cropping", self.rank)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_ndim(input_shape, self.rank + 2)

    def axes(self) -> tuple[int, ...]:
        """The spatial axes."""
        return spatial_axes(self.rank + 2, None)

    def call(self, inputs: Value) -> Value:
        start, stop = [0] * inputs.ndim, list(inputs.shape)
        for axis, (before, after) in zip(self.axes(), pairs(self.cropping), strict=True):
            length = inputs.shape[axis]
            if not isinstance(length, Dim) and before + after >= length:
                raise ShapeError(
                    f"takes {before} + {after} elements from axis {axis}, but it has {length}"
                )
            start[axis], stop[axis] = before, length - after
        return ops.Slice(tuple(start), tuple(stop))(inputs)


class Cropping1D(Cropping):
    """Less of sequences."""

    rank = 1


class ImageCropping(Cropping, registered=False):
    """Cropping where channels may come first."""

    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data_format = self.data_format or "channels_last"

    def axes(self) -> tuple[int, ...]:
        return spatial_axes(self.rank + 2, self.data_format)


class Cropping2D(ImageCropping):
    """Less of images."""

    rank = 2
    cropping = 0


class Cropping3D(ImageCropping):
    """Less of volumes."""

    rank = 3
