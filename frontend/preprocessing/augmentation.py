"""One image turned, moved, sheared, zoomed and coloured, as arrays: what Keras 2 did to data."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.ir.errors import CompileError, ShapeError
from kerac.utils.images import array_to_img, img_to_array

Array = np.ndarray[Any, np.dtype[Any]]
FILL_MODES = ("nearest", "constant", "reflect", "wrap")


def apply_affine_transform(
    x: Array,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> Array:
    """Turn by `theta` degrees, then move, shear (degrees) and zoom around the middle.

    As in Keras the first coordinate is that of columns if these come after the rows, but the middle
    is half of the height along it.
    """
    if x.ndim != 3 or sorted((row_axis, col_axis, channel_axis)) != [0, 1, 2]:
        raise ShapeError(f"an image has rows, columns and channels, but the array is {x.shape}")
    angle, slope = np.deg2rad(theta), np.deg2rad(shear)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    bend = np.array([[1, -np.sin(slope), 0], [0, np.cos(slope), 0]])
    move, zoom = np.array([[1, 0, tx], [0, 1, ty]]), np.array([[zx, 0, 0], [0, zy, 0]])
    matrix = np.eye(3)
    for step in (turn, move, bend, zoom):
        matrix = matrix @ np.vstack([step, [0, 0, 1]])
    if (matrix == np.eye(3)).all():
        return x
    image = np.moveaxis(x, (row_axis, col_axis, channel_axis), (0, 1, 2))
    middle = np.array(image.shape[:2]) / 2 - 0.5
    linear, offset = matrix[:2, :2], matrix[:2, 2] + middle - matrix[:2, :2] @ middle
    if col_axis > row_axis:
        linear, offset = linear[::-1, ::-1], offset[::-1]
    places = np.tensordot(linear, np.indices(image.shape[:2]), 1) + offset[:, None, None]
    moved = sampled(image, places, fill_mode, cval, order)
    return np.moveaxis(moved, (0, 1, 2), (row_axis, col_axis, channel_axis))


def sampled(image: Array, places: Array, fill_mode: str, cval: float, order: int) -> Array:
    """image: t[H, W, C] at places: [2, h, w] between its pixels -> t[h, w, C], as SciPy has it."""
    if fill_mode not in FILL_MODES:
        raise CompileError(
            f"fill_mode is {fill_mode!r}, but one of {', '.join(FILL_MODES)} is expected"
        )
    if order not in (0, 1):
        raise CompileError(f"interpolation_order is {order}, but 0 or 1 is expected")
    total = np.zeros((*places.shape[1:], image.shape[2]), np.float64)
    inside = np.ones(places.shape[1:], bool)
    corners: list[list[tuple[Array, Array]]] = []
    for place, length in zip(places, image.shape[:2], strict=True):
        if fill_mode == "constant":
            inside &= (place >= 0) & (place <= length - 1)
        corners.append(_neighbours(_wrapped(place, length, fill_mode), order))
    for row, row_weight in corners[0]:
        for column, column_weight in corners[1]:
            pixels = image[
                _index(row, image.shape[0], fill_mode), _index(column, image.shape[1], fill_mode)
            ]
            total += pixels * (row_weight * column_weight)[..., None]
    total[~inside] = cval
    return total.astype(image.dtype)


def _wrapped(place: Array, length: int, fill_mode: str) -> Array:
    """Places inside the image; a period of `wrap` is from the first pixel to the last one."""
    if fill_mode == "wrap" and length > 1:
        period = length - 1
        outside = (place < 0) | (place > period)
        wrapped = np.where(outside, place - period * np.floor(place / period), place)
        # a whole number of periods below stays at the end, and above at the beginning
        ends = outside & (wrapped == 0) & (place < 0)
        found: Array = np.where(ends, float(period), wrapped)
        return found
    return np.clip(place, 0, length - 1) if fill_mode == "nearest" else place


def _neighbours(place: Array, order: int) -> list[tuple[Array, Array]]:
    if order == 0:
        return [(np.floor(place + 0.5).astype(np.int64), np.ones(place.shape))]
    lower = np.floor(place)
    share = place - lower
    first = lower.astype(np.int64)
    return [(first, 1 - share), (first + 1, share)]


def _index(number: Array, length: int, fill_mode: str) -> Array:
    if fill_mode == "reflect":
        number = np.mod(number, 2 * length)
        number = np.minimum(number, 2 * length - 1 - number)
    return np.clip(number, 0, length - 1)


def apply_channel_shift(x: Array, intensity: float, channel_axis: int = 0) -> Array:
    """All values larger by `intensity`, within the range that they have."""
    del channel_axis  # every channel moves by as much
    shifted: Array = np.clip(x + intensity, x.min(), x.max()).astype(x.dtype)
    return shifted


def apply_brightness_shift(x: Array, brightness: float, scale: bool = True) -> Array:
    """So many times as bright, by Pillow, which has 256 steps."""
    from PIL import ImageEnhance

    low, high = x.min(), x.max()
    stretched = bool(low < 0 or high > 255)
    image = ImageEnhance.Brightness(array_to_img(x, scale=stretched or scale)).enhance(brightness)
    found = img_to_array(image)
    if not scale and stretched:
        found = found / 255 * (high - low) + low
    return found


def flip_axis(x: Array, axis: int) -> Array:
    """Elements in opposite order along one axis."""
    return np.flip(x, axis)
