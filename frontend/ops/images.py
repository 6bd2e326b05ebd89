"""Images: resized, cropped, padded, warped, blurred, their colours, patches and edges."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.data_format import from_last, to_last
from kerac.layers.images.color import hsv_of, rgb_of
from kerac.layers.images.resizing import INTEGERS
from kerac.layers.images.resizing import resize as resized
from kerac.ops.axes import part
from kerac.ops.networks import data_format_of, for_each_axis
from kerac.ops.registry import operation

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]
Format = str | None


def single(images: Value) -> Value:
    """Images as f32, in which all of this computes."""
    return ops.cast(images, "f32")


class Batch:
    """Images as t[N, H, W, C], whether they are one or many, their channels first or last."""

    def __init__(self, images: Value, data_format: str | None, ndim: int = 4) -> None:
        if images.ndim not in (ndim - 1, ndim):
            raise ShapeError(f"images must have {ndim - 1} or {ndim} axes, but are {images.type}")
        self.single = images.ndim == ndim - 1
        self.format = data_format_of(data_format)
        batch = ops.reshape(images, (1, *images.shape)) if self.single else images
        self.images = to_last(batch, self.format)

    def like(self, images: Value) -> Value:
        """Images with axes as they were given."""
        found = from_last(images, self.format)
        return ops.reshape(found, found.shape[1:]) if self.single else found


def as_given(result: Value, images: Value) -> Value:
    """A result in the dtype of images; integers are rounded into their range."""
    if images.tensor_type.is_float:
        return ops.cast(result, images.dtype)
    low, high = INTEGERS.get(images.dtype, (-(2**31), 2**31 - 1))
    inside = ops.minimum(ops.maximum(ops.Round()(result), low), high)
    return ops.cast(inside, images.dtype)


def as_float(result: Value, images: Value) -> Value:
    """A result in the dtype of images, if that has fractions."""
    return ops.cast(result, images.dtype) if images.tensor_type.is_float else result


@operation("image")
def resize(
    images: Value,
    size: tuple[int, int],
    interpolation: Interpolation = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: Literal["constant"] = "constant",
    fill_value: float = 0.0,
    data_format: Format = None,
) -> Value:
    """Images of another size."""
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise CompileError("resize is told to crop and to pad, but can do one of them")
    batch = Batch(single(images), data_format)
    padding = fill_value if pad_to_aspect_ratio else None
    found = resized(
        batch.images, (size[0], size[1]), interpolation, antialias, crop_to_aspect_ratio, padding
    )
    return as_given(batch.like(found), images)


def _ends(
    length: Any, before: int | None, after: int | None, target: int | None, what: str
) -> tuple[Any, Any, Any]:
    """Before, after and target, of which two are given; length = before + target + after."""
    if [before, after, target].count(None) != 1:
        raise CompileError(f"{what}: two of both ends and the target must be given")
    if before is None:
        return length - after - target, after, target
    if after is None:
        return before, length - before - target, target
    return before, after, length - before - after


@operation("image")
def crop_images(
    images: Value,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: Format = None,
) -> Value:
    """A part of images."""
    batch = Batch(images, data_format)
    x = batch.images
    top, _, height = _ends(x.shape[1], top_cropping, bottom_cropping, target_height, "height")
    left, _, width = _ends(x.shape[2], left_cropping, right_cropping, target_width, "width")
    return batch.like(part(part(x, 1, top, top + height), 2, left, left + width))


@operation("image")
def pad_images(
    images: Value,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: Format = None,
) -> Value:
    """Images with zeros around."""
    batch = Batch(images, data_format)
    x = batch.images
    pairs = []
    for length, before, after, target in (
        (x.shape[1], top_padding, bottom_padding, target_height),
        (x.shape[2], left_padding, right_padding, target_width),
    ):
        if [before, after, target].count(None) != 1:
            raise CompileError("two of both ends and the target must be given for each axis")
        first = target - length - after if before is None else before
        last = target - length - first if after is None else after
        pairs.append((first, last))
    return batch.like(ops.Pad(((0, 0), *pairs, (0, 0)))(x))


@operation("image", "RGBToGrayscale")
def rgb_to_grayscale(images: Value, data_format: Format = None) -> Value:
    """Brightness as one channel."""
    batch = Batch(images, data_format)
    x = batch.images
    if x.shape[-1] == 1:
        return images
    weights = ops.constant(np.array([[0.2989], [0.587], [0.114]]), "f32")
    return ops.cast(batch.like(ops.dense(single(x), weights)), images.dtype)


@operation("image", "RGBToHSV")
def rgb_to_hsv(images: Value, data_format: Format = None) -> Value:
    """Hue, saturation and value."""
    batch = Batch(_floats_only(images), data_format)
    return ops.cast(batch.like(ops.concatenate(list(hsv_of(batch.images)), 3)), images.dtype)


@operation("image", "HSVToRGB")
def hsv_to_rgb(images: Value, data_format: Format = None) -> Value:
    """Red, green and blue."""
    batch = Batch(_floats_only(images), data_format)
    hue, saturation, value = (part(batch.images, 3, i, i + 1) for i in range(3))
    return ops.cast(batch.like(rgb_of(hue, saturation, value)), images.dtype)


def _floats_only(images: Value) -> Value:
    if not images.tensor_type.is_float:
        raise ShapeError(f"images must hold fractions, but are {images.type}")
    return single(images)


@operation("image")
def gaussian_blur(
    images: Value,
    kernel_size: tuple[int, int] = (3, 3),
    sigma: Any = (1.0, 1.0),
    data_format: Format = None,
) -> Value:
    """Images smoothed by a bell curve; its sizes and deviations are across and down."""
    batch = Batch(single(images), data_format)
    rows, columns = (
        bell(n, float(s)) for n, s in zip(kernel_size, np.broadcast_to(sigma, 2), strict=True)
    )
    # as in Keras the first size belongs to the second axis of the kernel
    kernel = np.outer(columns, rows)
    return as_float(batch.like(filtered(batch.images, kernel)), images)


def bell(size: int, sigma: float) -> np.ndarray:
    """A normal distribution whose sum is 1."""
    places = np.arange(size) - (size - 1) / 2
    heights = np.exp(-0.5 * (places / sigma) ** 2)
    return np.asarray(heights / heights.sum())


def filtered(x: Value, kernel: np.ndarray, padding: str = "same") -> Value:
    """Each channel of t[N, H, W, C] under one kernel."""
    channels = x.shape[-1]
    weights = np.repeat(kernel[:, :, None, None], channels, 3)
    convolution = ops.Convolution(padding=padding, groups=channels)
    return convolution(x, ops.constant(weights, x.dtype))


SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])


@operation("image")
def sobel_edges(images: Value, data_format: Format = None) -> Value:
    """How fast images change downwards and to the right, as the last axis."""
    batch = Batch(single(images), data_format)
    down, right = (batch.like(filtered(batch.images, k)) for k in (SOBEL.T, SOBEL))
    wide = [ops.reshape(x, (*x.shape, 1)) for x in (down, right)]
    return as_float(ops.concatenate(wide, images.ndim), images)


@operation("image", "SSIM")
def ssim(
    image1: Value,
    image2: Value,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: Format = None,
) -> Value:
    """How alike the structure of images is (Wang et al., 2004)."""
    one, other = Batch(single(image1), data_format), Batch(single(image2), data_format)
    x, y = one.images, other.images
    curve = bell(filter_size, filter_sigma)
    kernel = np.outer(curve, curve)
    first, second = (k1 * max_val) ** 2, (k2 * max_val) ** 2

    def mean(values: Value) -> Value:
        return filtered(values, kernel, "valid")

    mean_x, mean_y = mean(x), mean(y)
    squares = mean(x * x) - mean_x * mean_x + mean(y * y) - mean_y * mean_y
    together = mean(x * y) - mean_x * mean_y
    above = (2.0 * mean_x * mean_y + first) * (2.0 * together + second)
    below = (mean_x * mean_x + mean_y * mean_y + first) * (squares + second)
    found = ops.reduce_mean(above / below, (1, 2, 3))
    found = ops.reshape(found, ()) if one.single else found
    return ops.cast(found, image1.dtype)


def patches(
    x: Value, size: Any, strides: Any, dilation_rate: Any, padding: str, rank: int
) -> Value:
    """What each window covers, as channels: rows, columns, channels of the image."""
    window = for_each_axis(size, rank, "size")
    channels = x.shape[-1]
    count = int(np.prod(window)) * channels
    kernel = np.eye(count).reshape(*window, channels, count)
    convolution = ops.Convolution(
        strides=for_each_axis(size if strides is None else strides, rank, "strides"),
        padding=padding.lower(),
        dilation=for_each_axis(dilation_rate, rank, "dilation_rate"),
    )
    return convolution(x, ops.constant(kernel, x.dtype))


@operation("image")
def extract_patches(
    images: Value,
    size: int | tuple[int, ...],
    strides: int | tuple[int, ...] | None = None,
    dilation_rate: int | tuple[int, ...] = 1,
    padding: str = "valid",
    data_format: Format = None,
) -> Value:
    """What each window of images, or of volumes for three sizes, covers, as channels."""
    rank = 3 if isinstance(size, tuple | list) and len(size) == 3 else 2
    batch = Batch(single(images), data_format, rank + 2)
    found = patches(batch.images, size, strides, dilation_rate, padding, rank)
    return as_float(batch.like(found), images)


@operation("image", "ExtractPatches3D")
def extract_patches_3d(
    volumes: Value,
    size: int | tuple[int, ...],
    strides: int | tuple[int, ...] | None = None,
    dilation_rate: int | tuple[int, ...] = 1,
    padding: str = "valid",
    data_format: Format = None,
) -> Value:
    """What each window of volumes covers, as channels."""
    batch = Batch(single(volumes), data_format, 5)
    found = patches(batch.images, size, strides, dilation_rate, padding, 3)
    return as_float(batch.like(found), volumes)


def filtered_by_bell(x: Value, size: int, sigma: float) -> Value:
    """t[N, H, W, C] smoothed by a bell curve of one size both ways."""
    curve = bell(size, sigma)
    return filtered(x, np.outer(curve, curve))
