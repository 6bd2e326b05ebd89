"""Images as networks want them, and the names of the classes that they tell apart."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal

import numpy as np

from kerac import ops
from kerac.backend import image_data_format
from kerac.eager import as_array
from kerac.ir import Value
from kerac.ir.errors import CompileError, ShapeError
from kerac.tensor import KerasTensor
from kerac.utils.files import get_file

CLASSES = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
# for each mode: a factor, whether red and blue change places, means and deviations of channels
MODES: dict[str, tuple[float, bool, tuple[float, ...], tuple[float, ...]]] = {
    "tf": (1 / 127.5, False, (1.0,), (1.0,)),
    "torch": (1 / 255.0, False, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "caffe": (1.0, True, (103.939, 116.779, 123.68), (1.0,)),
}


def preprocess_input(
    x: Any, data_format: str | None = None, mode: Literal["caffe", "tf", "torch"] = "caffe"
) -> Any:
    """Pixels from 0 to 255 as a network was trained on: t[..., 3], or channels before the image.

    `tf` scales them to [-1, 1], `torch` to mean 0 and variance 1 of ImageNet; `caffe` takes blue
    before red, and mean 0.
    """
    if mode not in MODES:
        raise CompileError(f"preprocess_input: mode is {mode!r}, but one of {list(MODES)} is known")
    data_format = data_format or image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise CompileError(
            f"preprocess_input: data_format is {data_format!r}, "
            "but 'channels_last' or 'channels_first' is expected"
        )
    if not isinstance(x, Value | KerasTensor):
        x = as_array(x)
        x = x if x.dtype.kind == "f" else x.astype("float32")
    axis = len(x.shape) - (3 if data_format == "channels_first" else 1)
    factor, is_reversed, mean, deviation = MODES[mode]
    if is_reversed:
        if x.shape[axis] != 3:
            raise ShapeError(f"preprocess_input: 3 channels are expected, but got {x.shape}")
        x = ops.flip(x, axis)
    shape = (-1, *(1,) * (len(x.shape) - axis - 1))
    means, deviations = (np.array(v, "float32").reshape(shape) for v in (mean, deviation))
    if factor != 1:
        x = x * np.float32(factor)
    x = x - means
    return x if mode != "torch" else x / deviations


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The likeliest classes of each row of [N, 1000]: identifier, name and probability."""
    array = np.asarray(preds)
    if array.ndim != 2 or array.shape[1] != 1000:
        raise ShapeError(
            f"decode_predictions: takes predictions of shape (N, 1000), but got {array.shape}"
        )
    names = _classes()
    return [
        [(*names[place], row[place]) for place in np.argsort(-row, kind="stable")[:top]]
        for row in array
    ]


@cache
def _classes() -> list[tuple[str, str]]:
    """Identifier and name of each class."""
    digest = "c2c37ea517e94d9795004a39431a14cb"
    path = get_file(
        "imagenet_class_index.json", CLASSES, cache_subdir="models", file_hash=digest
    )
    with open(path, encoding="utf-8") as file:
        index = json.load(file)
    return [(index[str(i)][0], index[str(i)][1]) for i in range(1000)]
