"""The files of the examples are what their texts say."""

from pathlib import Path

import keras
import numpy as np

DIGITS = Path(__file__).parent.parent / "examples" / "digits"


def test_the_digits_network_is_small_and_good() -> None:
    assert (DIGITS / "digits.keras").stat().st_size < 300_000
    model = keras.models.load_model(DIGITS / "digits.keras")
    with np.load(DIGITS / "held_out.npz") as held_out:
        images, labels = held_out["images"], held_out["labels"]
    assert images.shape == (450, 8, 8, 1)
    assert images.dtype == np.float32
    digits = model.predict(images, verbose=0).argmax(axis=-1)
    assert (digits == labels).mean() >= 0.98
