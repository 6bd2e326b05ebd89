"""Images of another size: resampled, or their middle."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.data_format import GivenDataFormat
from kerac.layers.images.base import Drawn, ImageLayer
from kerac.layers.images.sampling import length
from kerac.layers.upsampling import CURVES

INTEGERS = {"u8": (0, 255), "i8": (-128, 127), "u16": (0, 65535), "i16": (-32768, 32767)}
Size = tuple[int, int]


class Resizing(ImageLayer):
    """Images of `height` by `width` pixels; integers stay integers of their kind."""

    always: ClassVar[bool] = True

    height: int
    width: int
    interpolation: Literal["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"] = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    fill_mode: Literal["constant"] = "constant"
    fill_value: float = 0.0
    antialias: bool = False
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise CompileError(
                f"Resizing {self.name!r}: is told to crop and to pad to the aspect ratio, "
                "but can do one of them"
            )

    def call(self, inputs: Any) -> Any:
        outputs = super().call(inputs)
        if isinstance(inputs, dict) or inputs.dtype not in INTEGERS:
            return outputs
        low, high = INTEGERS[inputs.dtype]
        rounded = ops.minimum(ops.maximum(ops.Round()(outputs), low), high)
        return ops.cast(rounded, inputs.dtype)

    def transform(self, images: Value, drawn: Drawn) -> Value:
        return resize(
            images,
            (self.height, self.width),
            self.interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.fill_value if self.pad_to_aspect_ratio else None,
        )


class CenterCrop(ImageLayer):
    """The middle of images; those that are smaller are cut to the proportions and resized."""

    always: ClassVar[bool] = True

    height: int
    width: int
    data_format: GivenDataFormat = None

    def transform(self, images: Value, drawn: Drawn) -> Value:
        starts = []
        for dim, wanted in zip(images.shape[1:3], (self.height, self.width), strict=True):
            if isinstance(dim, int) and dim < wanted:
                size = (self.height, self.width)
                return resize(images, size, "bilinear", crop_to_aspect_ratio=True)
            starts.append((dim - wanted) // 2)
        for axis, start, wanted in zip((1, 2), starts, (self.height, self.width), strict=True):
            images = ops.slice_axis(images, axis, start, start + wanted)
        return images


def resize(
    images: Value,
    size: Size,
    interpolation: str,
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    padding: float | None = None,
) -> Value:
    """images: f32[N, H, W, C] -> f32[N, *size, C]; each pixel stands for an area.

    With `padding` images first get pixels of that value until they have the proportions.
    """
    if crop_to_aspect_ratio:
        for axis, (start, wanted) in enumerate(_cropped(images, size), 1):
            images = ops.slice_axis(images, axis, start, start + wanted)
    if padding is not None:
        pairs = ((0, 0), *_padded(images, size), (0, 0))
        images = ops.Pad(pairs, padding)(images) if any(map(any, pairs)) else images
    for axis, wanted in enumerate(size, 1):
        if images.shape[axis] != wanted:
            images = _resize_axis(images, axis, wanted, interpolation, antialias)
    return images


def _known(images: Value) -> Size:
    height, width = images.shape[1:3]
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    raise ShapeError(
        f"heights and widths of images must be known to keep proportions, "
        f"but are {height} and {width}"
    )


def _cropped(images: Value, size: Size) -> list[tuple[int, int]]:
    """Where the largest middle part with the proportions of `size` begins, and how long it is."""
    height, width = _known(images)
    rows = max(min(height, int(width * size[0] / size[1])), 1)
    columns = max(min(width, int(height * size[1] / size[0])), 1)
    return [((height - rows) // 2, rows), ((width - columns) // 2, columns)]


def _padded(images: Value, size: Size) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = _known(images)
    rows = (max(height, int(width * size[0] / size[1])) - height) // 2
    columns = (max(width, int(height * size[1] / size[0])) - width) // 2
    return (rows, rows), ((0, 0) if rows else (columns, columns))


def _resize_axis(
    images: Value, axis: int, wanted: int, interpolation: str, antialias: bool
) -> Value:
    """Another length of one axis, by a product with how much each pixel counts for each new one."""
    # the axis last, or first for lines that are only taken
    dim = images.shape[axis]
    if interpolation == "nearest" or not isinstance(dim, int):
        return _take_lines(images, axis, wanted, interpolation, antialias)
    order = (0, 3, 2, 1) if axis == 1 else (0, 1, 3, 2)
    weights = ops.constant(area_weights(dim, wanted, interpolation, antialias))
    return ops.transpose(ops.dense(ops.transpose(images, order), weights), order)


def area_weights(given: int, wanted: int, interpolation: str, antialias: bool) -> Any:
    """f32[given, wanted]: how much each pixel counts for each new one; columns sum to 1."""
    radius, curve = CURVES[interpolation]
    # with antialiasing a new pixel sees all that it covers
    spread = max(given / wanted, 1.0) if antialias else 1.0
    centres = (np.arange(wanted) + 0.5) * given / wanted - 0.5
    distances = np.abs(np.arange(given)[:, None] - centres) / spread
    weights = np.where(distances < radius, curve(distances), 0.0)
    return (weights / weights.sum(0)).astype(np.float32)


def _take_lines(
    images: Value, axis: int, wanted: int, interpolation: str, antialias: bool
) -> Value:
    """Lines along an axis of any length, taken or mixed from two."""
    if antialias or interpolation not in ("nearest", "bilinear"):
        raise ShapeError(
            f"heights and widths of images must be known for {interpolation!r} interpolation, "
            f"but one is {images.shape[axis]}"
        )
    order = (axis, *(other for other in range(4) if other != axis))
    back = tuple(order.index(other) for other in range(4))
    table = ops.transpose(images, order)
    ratio = ops.multiply(length(images.shape[axis]), 1 / wanted)
    centres = ops.add(ops.iota((wanted,), 0, "f32"), 0.5)
    if interpolation == "nearest":
        lines = ops.cast(ops.Floor()(ops.multiply(centres, ratio)), "i32")
        return ops.transpose(ops.gather(table, lines), back)
    last = ops.subtract(length(images.shape[axis]), 1.0)
    places = ops.subtract(ops.multiply(centres, ratio), 0.5)
    places = ops.minimum(ops.maximum(places, 0.0), last)
    lower = ops.Floor()(places)
    share = ops.reshape(ops.subtract(places, lower), (wanted, 1, 1, 1))
    first, second = (
        ops.gather(table, ops.cast(ops.add(lower, step), "i32")) for step in (0.0, 1.0)
    )
    mixed = ops.add(first, ops.multiply(ops.subtract(second, first), share))
    return ops.transpose(mixed, back)

