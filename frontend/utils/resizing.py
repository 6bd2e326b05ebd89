"""Images in another size, as a matrix for each axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError

Array = np.ndarray[Any, np.dtype[Any]]


def resize(image: Array, size: tuple[int, int], interpolation: str = "bilinear") -> Array:
    """image: [height, width, channels] -> f32[*size, channels]; no smoothing where it shrinks."""
    image = image.astype(np.float32)
    if interpolation == "nearest":
        rows, columns = (
            _nearest(have, want) for have, want in zip(image.shape, size, strict=False)
        )
        return np.asarray(image[rows][:, columns])
    rows, columns = (
        axis_weights(have, want, interpolation)
        for have, want in zip(image.shape[:2], size, strict=True)
    )
    across = np.einsum("Ww,hwc->hWc", columns, image, optimize=True)
    return np.asarray(np.einsum("Hh,hWc->HWc", rows, across, optimize=True), np.float32)


def _nearest(have: int, want: int) -> Array:
    places = np.floor((np.arange(want) + 0.5) * (have / want)).astype(int)
    return np.asarray(np.minimum(places, have - 1))


def axis_weights(have: int, want: int, interpolation: str) -> Array:
    """f32[want, have]: how much each old place gives to each new one; rows add up to 1."""
    if interpolation == "area":
        edges = np.arange(want + 1) * (have / want)
        starts, ends = edges[:-1, None], edges[1:, None]
        places = np.arange(have)
        weights = np.clip(np.minimum(ends, places + 1) - np.maximum(starts, places), 0, None)
    elif interpolation in KERNELS:
        centres = (np.arange(want) + 0.5) * (have / want) - 0.5
        weights = KERNELS[interpolation](np.abs(centres[:, None] - np.arange(have)))
    else:
        known = ", ".join(["nearest", "area", *KERNELS])
        raise CompileError(f"interpolation is {interpolation!r}, but one of {known} is expected")
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _cubic(b: float, c: float) -> Callable[[Array], Array]:
    """The cubic of Mitchell and Netravali."""

    def kernel(x: Array) -> Array:
        near = ((12 - 9 * b - 6 * c) * x + (-18 + 12 * b + 6 * c)) * x * x + (6 - 2 * b)
        far = (((-b - 6 * c) * x + (6 * b + 30 * c)) * x + (-12 * b - 48 * c)) * x
        return np.where(x < 1, near, np.where(x < 2, far + 8 * b + 24 * c, 0)) / 6

    return kernel


def _lanczos(radius: int) -> Callable[[Array], Array]:
    return lambda x: np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0)


def _gaussian(x: Array) -> Array:
    """A bell of 1.5 places to each side, half a place its deviation."""
    return np.where(x < 1.5, np.exp(-2 * x * x), 0)


KERNELS: dict[str, Callable[[Array], Array]] = {
    "bilinear": lambda x: np.maximum(1 - x, 0),
    "bicubic": _cubic(0, 0.5),
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
    "gaussian": _gaussian,
    "mitchellcubic": _cubic(1 / 3, 1 / 3),
}
