"""Images in files, as Pillow reads and writes them, and as arrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac import backend
from kerac.ir.errors import CompileError, FormatError, ShapeError
from kerac.utils.resizing import resize

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, np.dtype[Any]]
MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
DEEP = ("L", "I;16", "I")  # kept as they are where grey is asked for
RESAMPLING = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise CompileError(
            "images are read by Pillow, which is missing", remedy="pip install 'kerac[images]'"
        ) from None
    return Image


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image:
    """An image of Pillow, from a path or a file, in the colours and the size asked for.

    `target_size` is (height, width). With `keep_aspect_ratio` what does not fit is cut off.
    """
    pillow = _pillow()
    if color_mode not in MODES:
        raise CompileError(
            f"color_mode is {color_mode!r}, but one of {', '.join(MODES)} is expected"
        )
    try:
        image: Image = pillow.open(path)
        image.load()
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise FormatError(f"{path}: cannot be read as an image: {error!s:.120}") from None
    if not (color_mode == "grayscale" and image.mode in DEEP) and image.mode != MODES[color_mode]:
        image = image.convert(MODES[color_mode])
    if target_size is None or image.size == (target_size[1], target_size[0]):
        return image
    if interpolation not in RESAMPLING:
        known = ", ".join(RESAMPLING)
        raise CompileError(f"interpolation is {interpolation!r}, but one of {known} is expected")
    box = None
    if keep_aspect_ratio:
        width, height = image.size
        inner = (
            min(height, width * target_size[0] // target_size[1]),
            min(width, height * target_size[1] // target_size[0]),
        )
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        box = (left, top, left + inner[1], top + inner[0])
    method = getattr(pillow.Resampling, interpolation.upper())
    resized: Image = image.resize((target_size[1], target_size[0]), method, box=box)
    return resized


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> Array:
    """[height, width, channels] of an image, or channels first as `data_format` says."""
    array = np.asarray(img, dtype=dtype or backend.floatx())
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise ShapeError(f"an image has 2 or 3 axes, but the array has the shape {array.shape}")
    return array.transpose(2, 0, 1) if _format(data_format) == "channels_first" else array


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Image:
    """An image of Pillow from an array; with `scale` its range becomes 0 ... 255."""
    pillow = _pillow()
    array = np.array(x, dtype=dtype or backend.floatx())
    if array.ndim != 3:
        raise ShapeError(f"an image has 3 axes, but the array has the shape {array.shape}")
    if _format(data_format) == "channels_first":
        array = array.transpose(1, 2, 0)
    if scale:
        array = array - array.min()
        most = array.max()
        array = array / (most if most != 0 else 1) * 255
    channels = array.shape[2]
    if channels not in (1, 3, 4):
        raise ShapeError(f"an image has 1, 3 or 4 channels, but the array has {channels}")
    kind = "uint8"
    if channels == 1:
        kind = "int32" if array.max() > 255 else "uint8"
        array = array[:, :, 0]
    image: Image = pillow.fromarray(array.astype(kind))
    return image


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as an image; the name says the format unless `file_format` does."""
    if file_format is None and isinstance(path, str | os.PathLike):
        file_format = os.path.splitext(os.fspath(path))[1][1:].lower()
    file_format = "jpeg" if (file_format or "").lower() == "jpg" else file_format
    image = array_to_img(x, data_format, scale)
    if image.mode == "RGBA" and file_format == "jpeg":
        image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)


def read_image(path: str, color_mode: str) -> Array:
    """u8[height, width, channels] of a file."""
    with load_img(path, color_mode) as image:
        array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]


def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str | None = "channels_last",
) -> Array:
    """An image, or a batch of images, in another size; what does not fit is cut off."""
    array = np.asarray(x)
    if array.ndim == 4:
        return np.stack([smart_resize(image, size, interpolation, data_format) for image in array])
    if data_format == "channels_first":
        array = array.transpose(1, 2, 0)
    return resized_to(array, size, interpolation, crop=True, data_format=data_format)


def resized_to(
    image: Array,
    size: tuple[int, ...],
    interpolation: str,
    crop: bool = False,
    pad: bool = False,
    data_format: str | None = None,
) -> Array:
    """image: [height, width, channels] in another size, its middle alone or zeros around it."""
    height, width = size
    if pad:
        image = _padded(image, height, width)
    elif crop:
        have, wide = image.shape[:2]
        inner = min(have, int(wide * height / width)), min(wide, int(have * width / height))
        top, left = (have - inner[0]) // 2, (wide - inner[1]) // 2
        image = image[top : top + inner[0], left : left + inner[1]]
    resized = resize(image, (height, width), interpolation)
    return resized.transpose(2, 0, 1) if _format(data_format) == "channels_first" else resized


def _padded(image: Array, height: int, width: int) -> Array:
    have, wide = image.shape[:2]
    outer = max(have, int(wide * height / width)), max(wide, int(have * width / height))
    before = (outer[0] - have) // 2, (outer[1] - wide) // 2
    after = outer[0] - have - before[0], outer[1] - wide - before[1]
    return np.pad(image, ((before[0], after[0]), (before[1], after[1]), (0, 0)))


def _format(data_format: str | None) -> str:
    return data_format or backend.image_data_format()
