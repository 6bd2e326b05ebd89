"""Layers that take what they know from data, beside Keras's own."""

from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError, ShapeError

DRAW = np.random.default_rng(9)
DATA = DRAW.normal(3, 5, (40, 6, 4)).astype("f")


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None, (-1, 1)])
@pytest.mark.parametrize("batches", [None, [13, 20], [39]])
@pytest.mark.parametrize("invert", [False, True])
def test_normalization(axis: Any, batches: list[int] | None, invert: bool) -> None:
    ours = kerac.layers.Normalization(axis, invert=invert)
    theirs = keras.layers.Normalization(axis, invert=invert)
    ours.adapt(DATA if batches is None else np.split(DATA, batches))
    theirs.adapt(DATA)
    np.testing.assert_allclose(ours(DATA), np.asarray(theirs(DATA)), atol=2e-5)
    for found, expected in zip(ours.get_weights()[:2], theirs.get_weights()[:2], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_normalization_in_a_model(tmp_path: Any) -> None:
    layer = kerac.layers.Normalization()
    layer.adapt((x, x[:, 0]) for x in np.split(DATA, 4))  # batches with labels
    model = kerac.Sequential([kerac.Input((6, 4)), layer])
    found = model.predict(DATA)
    np.testing.assert_allclose(found.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std((0, 1)), 1, atol=1e-5)
    model.save(tmp_path / "x.keras")
    again = keras.models.load_model(tmp_path / "x.keras")
    np.testing.assert_allclose(again.predict(DATA, verbose=0), found, atol=1e-5)


def test_normalization_that_does_not_fit() -> None:
    layer = kerac.layers.Normalization()
    layer.adapt(DATA)
    with pytest.raises(ShapeError, match=r"of the shape \(4,\), but the data has \(3,\)"):
        layer.adapt(DATA[..., :3])
    with pytest.raises(CompileError, match="but there is none"):
        layer.adapt([])
    with pytest.raises(ShapeError, match="no samples"):
        layer.adapt(DATA[:0])
    with pytest.raises(CompileError, match="were given already"):
        kerac.layers.Normalization(mean=1.0, variance=1.0).adapt(DATA)
