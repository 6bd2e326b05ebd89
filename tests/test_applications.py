"""Networks of `keras.applications` at small sizes: native code and ONNX against Keras."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import kerac
from tests.compare import assert_close
from tests.everywhere import run_onnx
from tests.frontend.checking import random_value

# cheap ones of families that have different layers
SMALL = {
    "ConvNeXtTiny": 32,
    "EfficientNetB0": 32,
    "MobileNet": 32,
}

def check(name: str, size: int, folder: Path) -> None:
    """Compare a network with random weights on two images, read back from a file."""
    keras.utils.clear_session()
    build = getattr(keras.applications, name)
    theirs = build(weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg")
    generator = np.random.default_rng(0)
    for variable in theirs.weights:
        variable.assign(random_value(variable, generator))
    for layer in theirs.layers:
        if hasattr(layer, "finalize_state"):  # Keras keeps a copy of what it normalizes by
            layer.finalize_state()
    theirs.save(folder / "model.keras")
    images = generator.standard_normal((2, size, size, 3)).astype(np.float32)
    expected = np.asarray(theirs(images))
    ours = kerac.models.load_model(folder / "model.keras")
    assert_close(kerac.compile(ours)(images), expected)
    assert_close(run_onnx(ours.trace(), [images])[0], expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_small_networks(name: str, tmp_path: Path) -> None:
    check(name, SMALL[name], tmp_path)


@pytest.mark.slow
def test_one_function_for_images_of_any_size(tmp_path: Path) -> None:
    theirs = keras.applications.MobileNetV3Small(weights=None, include_top=False)
    generator = np.random.default_rng(0)
    for variable in theirs.weights:
        variable.assign(random_value(variable, generator))
    theirs.save(tmp_path / "model.keras")
    native = kerac.compile(tmp_path / "model.keras")
    for shape in [(2, 64, 64, 3), (1, 75, 98, 3)]:
        images = generator.uniform(0, 255, shape).astype(np.float32)
        assert_close(native(images), np.asarray(theirs(images)))
