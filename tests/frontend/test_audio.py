"""Spectra of sounds, against Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError
from tests.everywhere import EVERYWHERE
from tests.frontend.checking import check_layer, check_layer_config

CASES: list[tuple[dict[str, Any], int]] = [
    ({"fft_length": 64, "sequence_stride": 20, "num_mel_bins": 8, "power_to_db": False}, 300),
    ({"fft_length": 63, "sequence_stride": 17, "sequence_length": 40, "window": "hamming",
      "num_mel_bins": 5, "power_to_db": False, "mag_exp": 1.0, "min_freq": 100.0}, 200),
    ({"fft_length": 32, "sequence_length": 31, "window": None, "num_mel_bins": 6,
      "power_to_db": False, "sequence_stride": 8, "max_freq": 3000, "sampling_rate": 8000}, 100),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CASES)))
def test_energies(number: int) -> None:
    arguments, length = CASES[number]
    free = (1,) if number == 0 else ()
    check_layer(lambda layers: layers.MelSpectrogram(**arguments), (2, length), free=free)


def test_decibels() -> None:
    arguments = {"fft_length": 64, "sequence_stride": 16, "num_mel_bins": 8, "ref_power": 2.0}
    ours = kerac.layers.MelSpectrogram(top_db=30.0, **arguments)
    theirs = keras.layers.MelSpectrogram(top_db=30.0, **arguments)
    sound = np.random.default_rng(0).normal(size=(2, 200)).astype("float32")
    sound[1] *= 1e-3
    wanted = np.asarray(theirs(sound))
    inputs = kerac.Input((200,))
    graph = kerac.Model(inputs, ours(inputs)).trace()
    for backend in EVERYWHERE.values():
        np.testing.assert_allclose(backend(graph, [sound])[0], wanted, atol=1e-3)
    np.testing.assert_allclose(ours(sound[0]), np.asarray(theirs(sound[0])), atol=1e-3)


def test_configs() -> None:
    for arguments, _ in CASES:
        check_layer_config(lambda layers, a=arguments: layers.MelSpectrogram(**a))
    check_layer_config(lambda layers: layers.MelSpectrogram(name="mel"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fft_length": 8, "sequence_length": 9}, "sequence_length is 9, but must not be above"),
        ({"window": "square"}, "window is 'square', but 'hann' or 'hamming' is known"),
        ({"window": [1.0, 2.0], "fft_length": 8}, r"window has the shape \(2,\), but \(8,\)"),
    ],
)
def test_errors(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        kerac.layers.MelSpectrogram(**arguments)
    with pytest.raises(CompileError, match="the sound has 4 samples only"):
        kerac.layers.MelSpectrogram(fft_length=8)(np.zeros((1, 4), "float32"))
