"""Fourier transforms along the last axes, by products with waves; complex numbers are pairs.

A length n = a * b is taken in two steps, of a and of b waves (Cooley and Tukey, 1965).
"""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.ir.gradients.reverse import reverse
from kerac.ops.axes import filled, known_length, moved, part
from kerac.ops.networks import extract_sequences
from kerac.ops.padding import pad
from kerac.ops.promotion import floating, floats
from kerac.ops.registry import Values, operation

Pair = tuple[Value, Value]
MOST_WAVES = 64  # in one product


def transformed(real: Value, imag: Value, inverse: bool = False) -> Pair:
    """The transform along the last axis; the inverse one is not divided by the length."""
    length = known_length(real.shape[-1], "the length of the last axis")
    factor = max((n for n in range(1, MOST_WAVES + 1) if length % n == 0), default=1)
    if length <= MOST_WAVES or factor == 1:
        return _by_products(real, imag, inverse)
    rest = length // factor
    shape = (*real.shape[:-1], factor, rest)
    last = len(shape) - 1
    parts = [moved(ops.reshape(x, shape), last - 1, last) for x in (real, imag)]
    real, imag = _by_products(parts[0], parts[1], inverse)
    # [..., rest, factor]
    angles = (1 if inverse else -1) * 2 * pi / length * np.outer(np.arange(rest), np.arange(factor))
    cosine, sine = (ops.constant(f(angles), real.dtype) for f in (np.cos, np.sin))
    real, imag = real * cosine - imag * sine, real * sine + imag * cosine
    real, imag = transformed(moved(real, last - 1, last), moved(imag, last - 1, last), inverse)
    found = [ops.reshape(moved(x, last - 1, last), (*shape[:-2], length)) for x in (real, imag)]
    return found[0], found[1]


def _by_products(real: Value, imag: Value, inverse: bool) -> Pair:
    length = real.shape[-1]
    # places are taken modulo the length, so that angles stay small
    turns = np.outer(np.arange(length), np.arange(length)) % length
    angles = (1 if inverse else -1) * 2 * pi / length * turns
    cosine, sine = (ops.constant(f(angles), real.dtype) for f in (np.cos, np.sin))
    return (
        ops.dense(real, cosine) - ops.dense(imag, sine),
        ops.dense(real, sine) + ops.dense(imag, cosine),
    )


def _pair(x: list[Value]) -> Pair:
    if len(x) != 2:
        raise CompileError(f"x must be a real and an imaginary part, but there are {len(x)}")
    real, imag = floats(*x)
    return real, imag


def _over_two_axes(pair: Pair, inverse: bool) -> Pair:
    real, imag = transformed(*pair, inverse)
    last = real.ndim - 1
    turned = transformed(moved(real, last - 1, last), moved(imag, last - 1, last), inverse)
    return moved(turned[0], last - 1, last), moved(turned[1], last - 1, last)


@operation("math", "FFT")
def fft(x: Values) -> Pair:
    """The transform along the last axis, of a real and an imaginary part."""
    return transformed(*_pair(x))


@operation("math", "FFT2")
def fft2(x: Values) -> Pair:
    """The transform along the last two axes."""
    return _over_two_axes(_pair(x), inverse=False)


@operation("math", "IFFT2")
def ifft2(x: Values) -> Pair:
    """What `fft2` made of its result."""
    real, imag = _over_two_axes(_pair(x), inverse=True)
    count = known_length(real.shape[-1] * real.shape[-2], "the number of elements")
    return real * (1 / count), imag * (1 / count)


def to_length(x: Value, length: int) -> Value:
    """The last axis cut, or continued by zeros."""
    given = known_length(x.shape[-1], "the length of the last axis")
    if given >= length:
        return part(x, x.ndim - 1, 0, length)
    return ops.Pad((*((0, 0),) * (x.ndim - 1), (0, length - given)))(x)


@operation("math", "RFFT")
def rfft(x: Value, fft_length: int | None = None) -> Pair:
    """The first half of the transform of real numbers; the second is its mirror image."""
    return half_transformed(floating(x), fft_length)


def half_transformed(x: Value, fft_length: int | None) -> Pair:
    """The first half of the transform of real numbers."""
    x = x if fft_length is None else to_length(x, fft_length)
    real, imag = transformed(x, filled(0, x.shape, x.dtype))
    count = real.shape[-1] // 2 + 1
    return part(real, x.ndim - 1, 0, count), part(imag, x.ndim - 1, 0, count)


@operation("math", "IRFFT")
def irfft(x: Values, fft_length: int | None = None) -> Value:
    """The real numbers whose transform begins with x."""
    return real_inverse(_pair(x), fft_length)


def real_inverse(pair: Pair, fft_length: int | None) -> Value:
    """The real numbers whose transform begins with a pair."""
    real, imag = pair
    given = known_length(real.shape[-1], "the length of the last axis")
    length = 2 * (given - 1) if fft_length is None else fft_length
    real, imag = (to_length(v, length // 2 + 1) for v in (real, imag))
    axis = real.ndim - 1
    behind = length - length // 2 - 1

    def mirrored(v: Value) -> Value:
        return ops.reverse(part(v, axis, 1, 1 + behind), (axis,))

    if behind:
        real = ops.concatenate([real, mirrored(real)], axis)
        imag = ops.concatenate([imag, -mirrored(imag)], axis)
    return transformed(real, imag, inverse=True)[0] * (1 / length)


Window = Any


def window_of(window: Any, sequence_length: int, fft_length: int) -> np.ndarray:
    """The window's elements, with zeros around up to the length of the transform."""
    if window is None:
        return np.ones(fft_length)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise CompileError(f"window is {window!r}, but must be 'hann', 'hamming' or an array")
        share = 0.5 if window == "hann" else 0.54
        turn = 2 * pi * np.arange(sequence_length) / sequence_length
        elements = share - (1 - share) * np.cos(turn)
    else:
        elements = np.asarray(window)
    before = (fft_length - sequence_length) // 2
    return np.pad(elements, (before, fft_length - sequence_length - before))


@operation("math", "STFT")
def stft(
    x: Value,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Window = "hann",
    center: bool = True,
) -> Pair:
    """Transforms of parts of a signal that overlap."""
    x = floating(x)
    if fft_length < sequence_length:
        raise CompileError(
            f"fft_length is {fft_length}, but must be at least {sequence_length}, sequence_length"
        )
    if center:
        half = fft_length // 2
        x = pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], mode="reflect")
    elements = window_of(window, sequence_length, fft_length)
    frames = extract_sequences(x, fft_length, sequence_stride)
    return half_transformed(frames * ops.constant(elements, x.dtype), None)


def overlapped(frames: Value, length: int, stride: int) -> Value:
    """The sum of parts where they come from; `extract_sequences` turned round."""
    whole = ops.graph_input("whole", frames.tensor_type.with_shape((*frames.shape[:-2], length)))
    taken = extract_sequences(whole, frames.shape[-1], stride)
    (found,) = reverse([taken], [frames], [whole])
    if found is None:
        raise CompileError("there are no parts to add")
    return found


@operation("math", "ISTFT")
def istft(
    x: Values,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Window = "hann",
    center: bool = True,
) -> Value:
    """The signal that `stft` made x of."""
    pair = _pair(x)
    count = known_length(pair[0].shape[-2], "the number of parts")
    elements = window_of(window, sequence_length, fft_length)
    weights = ops.constant(elements, pair[0].dtype)
    whole = fft_length + sequence_stride * (count - 1)
    sums = overlapped(real_inverse(pair, fft_length) * weights, whole, sequence_stride)
    squares = np.zeros(whole)
    for number in range(count):
        start = number * sequence_stride
        squares[start : start + fft_length] += elements**2
    norm = np.where(squares > 1e-10, squares, 1.0)
    found = sums * ops.constant(1 / norm, sums.dtype)
    if window is None:
        found = found * (elements.sum() / sequence_stride)
    start = fft_length // 2 if center else 0
    stop = whole - (fft_length // 2 if center else 0) if length is None else start + length
    return part(found, found.ndim - 1, start, min(stop, whole))
