"""Images of another size, beside Keras's."""

from typing import Any

import keras
import numpy as np
import pytest

import kerac
from tests.compare import assert_close
from tests.frontend.checking import check_layer_config, made
from tests.frontend.test_images import BYTES, DRAW, augmented

RESIZINGS: list[dict[str, Any]] = [
    *({"interpolation": kind} for kind in ("bilinear", "nearest", "bicubic", "lanczos3")),
    *({"interpolation": kind, "antialias": True} for kind in ("bilinear", "bicubic", "lanczos5")),
    {"crop_to_aspect_ratio": True},
    {"pad_to_aspect_ratio": True, "fill_value": 3.0},
    {"data_format": "channels_first"},
]


@pytest.mark.parametrize("size", [(4, 7), (20, 5), (9, 12), (13, 31)])
@pytest.mark.parametrize("arguments", RESIZINGS, ids=str)
def test_resizing(size: tuple[int, int], arguments: dict[str, Any]) -> None:
    theirs, ours = made(lambda library: library.layers.Resizing(*size, **arguments))
    images = BYTES
    if "data_format" in arguments:
        images = BYTES.transpose(0, 3, 1, 2)
    expected = np.asarray(theirs(images))
    assert_close(np.asarray(ours(images)), expected, 1e-5)
    assert ours.compute_output_shape((None, *images.shape[1:])) == (None, *expected.shape[1:])
    assert_close(np.asarray(ours(images[0])), expected[0], 1e-5)
    small = images.astype("uint8")
    found, wanted = np.asarray(ours(small)), np.asarray(theirs(small))
    assert found.dtype == wanted.dtype
    assert abs(found.astype(int) - wanted).max() <= 1
    check_layer_config(lambda layers: layers.Resizing(*size, **arguments))


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_resizing_images_of_any_size(interpolation: str) -> None:
    image = kerac.Input((None, None, 3))
    layer = kerac.layers.Resizing(6, 5, interpolation)
    model = kerac.Model(image, layer(image))
    assert model.output_shape == (None, 6, 5, 3)
    for height, width in ((4, 9), (13, 3), (6, 5)):
        images = DRAW.uniform(0, 1, (2, height, width, 3)).astype("float32")
        expected = np.asarray(keras.layers.Resizing(6, 5, interpolation)(images))
        assert_close(model.predict(images), expected, 1e-5)


@pytest.mark.parametrize("size", [(4, 7), (9, 12), (3, 12), (11, 5), (20, 30)])
def test_center_crop(size: tuple[int, int]) -> None:
    theirs, ours = made(lambda library: library.layers.CenterCrop(*size))
    assert_close(np.asarray(ours(BYTES)), np.asarray(theirs(BYTES)), 1e-5)
    check_layer_config(lambda layers: layers.CenterCrop(*size))


def test_random_crop() -> None:
    images = np.arange(6 * 8 * 9, dtype="float32").reshape(6, 8, 9, 1)
    layer = kerac.layers.RandomCrop(5, 4, seed=2)
    _, found = augmented(layer, images)
    top, left = divmod(int(found[0, 0, 0, 0]), 9)
    np.testing.assert_array_equal(found, images[:, top : top + 5, left : left + 4])
    places = {
        (int(drawn["top"][0]), int(drawn["left"][0]))
        for key in range(60)
        for drawn, _ in [augmented(kerac.layers.RandomCrop(5, 4), images, key)]
    }
    assert {place[0] for place in places} == set(range(4))
    assert {place[1] for place in places} == set(range(6))
    # outside training what Keras does with images that are too small
    small = BYTES[:, :3]
    theirs = keras.layers.RandomCrop(5, 4)
    expected = np.asarray(theirs(small, training=True).shape)
    assert np.asarray(layer(small, training=False).shape).tolist() == expected.tolist()
    check_layer_config(lambda layers: layers.RandomCrop(5, 4, seed=1))
