"""Networks whose inputs have any size: one compiled function against Keras at several sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kerac
from tests.everywhere import run_onnx, run_reference
from tests.frontend.checking import check_outputs, made, random_arrays, random_value

SAME: dict[str, Any] = {"padding": "same"}


def sequences(library: Any) -> Any:
    layers = library.layers
    x = inputs = library.Input((None, 3), name="x")
    x = layers.Conv1D(6, 4, strides=3, activation="relu", **SAME)(x)
    x = layers.SeparableConv1D(5, 2, strides=2, **SAME)(x)
    return library.Model(inputs, layers.AveragePooling1D(3, strides=2, **SAME)(x))


def images(library: Any) -> Any:
    layers = library.layers
    x = inputs = library.Input((None, None, 3), name="x")
    x = layers.Conv2D(20, 3, strides=2, activation="relu", **SAME)(x)
    left = layers.DepthwiseConv2D((5, 3), strides=2, depth_multiplier=1, **SAME)(x)
    right = layers.MaxPooling2D((3, 2), strides=2, **SAME)(x)
    x = layers.Add()([left, right])
    x = layers.Conv2D(8, 3, dilation_rate=2, groups=2, **SAME)(x)
    x = layers.AveragePooling2D((2, 3), strides=(3, 2), **SAME)(x)
    return library.Model(inputs, layers.Conv2D(4, (1, 2), strides=(1, 3), **SAME)(x))


def segments(library: Any) -> Any:
    layers = library.layers
    x = inputs = library.Input((3, None, 17), name="x")
    y = layers.Conv2D(8, 3, strides=(1, 4), data_format="channels_first", **SAME)(x)
    y = layers.SeparableConv2D(8, (1, 17), strides=2, data_format="channels_first", **SAME)(y)
    y = layers.Conv2DTranspose(4, 3, strides=2, data_format="channels_first", **SAME)(y)
    return library.Model(inputs, y)


def volumes(library: Any) -> Any:
    layers = library.layers
    x = inputs = library.Input((None, None, None, 2), name="x")
    x = layers.Conv3D(4, (3, 2, 3), strides=2, **SAME)(x)
    x = layers.MaxPooling3D(2, **SAME)(x)
    return library.Model(inputs, layers.AveragePooling3D((1, 3, 2), strides=(2, 3, 1), **SAME)(x))


SHAPES: list[tuple[Any, list[tuple[int, ...]]]] = [
    (sequences, [(2, 29, 3), (1, 30, 3), (3, 1, 3), (2, 48, 3)]),
    (images, [(2, 33, 46, 3), (1, 32, 47, 3), (1, 7, 1, 3), (1, 64, 64, 3)]),
    (segments, [(2, 3, 21, 17), (1, 3, 10, 17), (1, 3, 5, 17)]),
    (volumes, [(1, 9, 12, 7, 2), (2, 6, 5, 8, 2), (1, 1, 3, 2, 2)]),
]


@pytest.mark.parametrize(("make", "shapes"), SHAPES, ids=[make.__name__ for make, _ in SHAPES])
def test_one_function_for_several_sizes(make: Any, shapes: list[tuple[int, ...]]) -> None:
    theirs, ours = made(make)
    generator = np.random.default_rng(0)
    for variable in theirs.weights:
        variable.assign(random_value(variable, generator))
    ours.set_weights(theirs.get_weights())
    native = kerac.compile(ours)
    backends = {
        "reference": run_reference,
        "native code": lambda graph, arrays: (native(*arrays),),
        "onnx": run_onnx,
    }
    for shape in shapes:
        check_outputs(theirs, ours, random_arrays([shape]), backends=backends)
