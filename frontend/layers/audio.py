"""Spectra of sounds, as layers of a graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.base import Layer
from kerac.layers.spatial import positive

Array = np.ndarray[Any, np.dtype[Any]]
# The mel scale of the Hidden Markov Model Toolkit.
BREAK_FREQUENCY, HIGH_FREQUENCY_Q = 700.0, 1127.0
# Periodic windows a - b cos(2 pi k / n).
WINDOWS = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46)}


class MelSpectrogram(Layer):
    """Energies in bands of the mel scale, over time; in decibels where `power_to_db` is True.

    inputs: f32[N, T] (or f32[T]) -> f32[N, num_mel_bins, 1 + T // sequence_stride]
    The loudest place of the whole batch is the reference of `top_db`.
    """

    fft_length: int = 2048
    sequence_stride: int = 512
    sequence_length: int | None = None
    window: Any = "hann"
    sampling_rate: int = 16000
    num_mel_bins: int = 128
    min_freq: float = 20.0
    max_freq: float | None = None
    power_to_db: bool = True
    top_db: float = 80.0
    mag_exp: float = 2.0
    min_power: float = 1e-10
    ref_power: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("fft_length", "sequence_stride", "num_mel_bins", "sampling_rate"):
            positive(self, name)
        self.sequence_length = self.sequence_length or self.fft_length
        self.max_freq = self.max_freq or int(self.sampling_rate / 2)
        if self.fft_length < self.sequence_length:
            raise CompileError(
                f"MelSpectrogram {self.name!r}: sequence_length is {self.sequence_length}, "
                f"but must not be above fft_length, {self.fft_length}"
            )
        if self.window is not None:
            window_of(self.window, self.sequence_length)

    def call(self, inputs: Value) -> Value:
        if inputs.ndim not in (1, 2):
            raise ShapeError(f"the input must have 1 or 2 axes, but is {inputs.type}")
        x = ops.cast(inputs, "f32")
        x = ops.reshape(x, (*x.shape, 1) if inputs.ndim == 2 else (1, *x.shape, 1))
        energies = self._energies(self._reflected(x))
        weights = mel_weights(
            self.fft_length // 2 + 1, self.num_mel_bins, self.sampling_rate,
            self.min_freq, float(self.max_freq or 0),
        )  # fmt: skip
        bands = ops.dense(energies, ops.constant(weights))
        bands = self._decibels(bands) if self.power_to_db else bands
        found = self.as_result(ops.transpose(bands, (0, 2, 1)))
        return ops.reshape(found, found.shape[1:]) if inputs.ndim == 1 else found

    def _reflected(self, x: Value) -> Value:
        """Half a transform before and behind, mirrored, so that times are the middles of frames."""
        half, length = self.fft_length // 2, x.shape[1]
        if isinstance(length, int) and length <= half:
            raise ShapeError(
                f"fft_length is {self.fft_length}, but the sound has {length} samples only"
            )
        before = ops.reverse(ops.slice_axis(x, 1, 1, half + 1), (1,))
        behind = ops.reverse(ops.slice_axis(x, 1, length - 1 - half, length - 1), (1,))
        return ops.concatenate([before, x, behind], 1)

    def _energies(self, x: Value) -> Value:
        """Magnitudes of frames' transforms to the power of `mag_exp`: f32[N, frames, bins]."""
        basis = fourier_basis(self.fft_length, self.window, self.sequence_length or 0)
        convolution = ops.Convolution(strides=(self.sequence_stride,))
        bins = self.fft_length // 2 + 1
        both = convolution(x, ops.constant(basis[:, None]))
        parts = [ops.slice_axis(both, 2, start, start + bins) for start in (0, bins)]
        power = parts[0] * parts[0] + parts[1] * parts[1]
        if self.mag_exp == 2:
            return power
        return ops.Power()(power, ops.constant(self.mag_exp / 2, "f32"))

    def _decibels(self, x: Value) -> Value:
        scale = 10 / math.log(10)
        reference = scale * math.log(max(abs(self.ref_power), self.min_power))
        found = ops.Log()(ops.maximum(x, self.min_power)) * scale - reference
        loudest = ops.reduce_max(found, (0, 1, 2), keepdims=True)
        return ops.maximum(found, loudest - self.top_db)


def window_of(window: Any, length: int) -> Array:
    """The numbers that a frame is multiplied by."""
    if isinstance(window, str):
        if window not in WINDOWS:
            raise CompileError(f"window is {window!r}, but 'hann' or 'hamming' is known")
        a, b = WINDOWS[window]
        return np.asarray(a - b * np.cos(2 * np.pi * np.arange(length) / length))
    numbers = np.asarray(window, np.float64)
    if numbers.shape != (length,):
        raise CompileError(f"window has the shape {numbers.shape}, but ({length},) is expected")
    return numbers


def fourier_basis(fft_length: int, window: Any, sequence_length: int) -> Array:
    """Cosines and sines times the window: f32[fft_length, 2 * bins], real parts first."""
    before = (fft_length - sequence_length) // 2
    behind = fft_length - sequence_length - before
    frame = np.ones(fft_length)  # where there is no window, frames are as long as transforms
    if window is not None:
        frame = np.pad(window_of(window, sequence_length), (before, behind))
    turns = np.outer(np.arange(fft_length), np.arange(fft_length // 2 + 1)) % fft_length
    angles = 2 * np.pi * turns / fft_length
    both = np.concatenate([np.cos(angles), -np.sin(angles)], axis=1)
    return np.asarray(frame[:, None] * both, np.float32)


def mel_weights(
    bins: int, bands: int, sampling_rate: float, lowest: float, highest: float
) -> Array:
    """How much of each frequency belongs to each band, a triangle of the mel scale: [bins, bands].

    The frequency 0 belongs to none.
    """

    def mel(frequency: Any) -> Array:
        return np.asarray(HIGH_FREQUENCY_Q * np.log1p(np.asarray(frequency) / BREAK_FREQUENCY))

    places = mel(np.linspace(0, sampling_rate / 2, bins)[1:])[:, None]
    edges = np.linspace(mel(lowest), mel(highest), bands + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (places - low) / (middle - low), (high - places) / (high - middle)
    weights = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(np.pad(weights, ((1, 0), (0, 0))), np.float32)
