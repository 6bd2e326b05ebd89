"""Rows of `tests/samples.py` for ops that act in training only: random numbers and gradients."""

from __future__ import annotations

from kerac.ir.ops import (
    ConvolutionKernelGradient,
    LinearRecurrence,
    LSTMGradient,
    MaxPool,
    MaxPoolGradient,
    RandomNormal,
    RandomUniform,
)
from tests.sample import Sample, tensor


def random() -> list[Sample]:
    key = tensor("u32[2]", 0, 2**32 - 1)
    return [
        Sample(RandomUniform((37,)), (key,)),
        Sample(RandomUniform((3, 5, 1), stream=7), (key,)),
        Sample(RandomNormal((65, 3), stream=2**32 - 1), (key,)),
        Sample(RandomUniform(()), (key,)),
    ]


def convolution_gradient() -> list[Sample]:
    return [
        Sample(ConvolutionKernelGradient(*attributes), (tensor(x), tensor(g)))
        for attributes, x, g in (
            (((3, 3), (1, 1), (1, 1)), "f32[N, 9, 8, 6]", "f32[N, 7, 6, 5]"),
            (((3, 2), (2, 1), (1, 3)), "f32[N, 9, 8, 17]", "f32[N, 4, 5, 37]"),
            (((1,), (1,), (1,)), "f32[N, T, 1]", "f32[N, T, 64]"),
            (((1, 1, 2), (1, 2, 1), (1, 1, 1)), "f32[11, 2, 3, 4, 3]", "f32[11, 2, 2, 3, 4]"),
            (((3, 3), (1, 1), (1, 1), 3), "f32[N, 5, 5, 6]", "f32[N, 3, 3, 9]"),
        )
    ]


def pooling_gradient() -> list[Sample]:
    rows = (
        ((2, 2), (2, 2), "f32[N, 9, 8, 5]", "f32[N, 4, 4, 5]"),
        ((3, 3), (2, 1), "f32[N, 9, 8, 37]", "f32[N, 4, 6, 37]"),
        ((2,), (3,), "f32[N, 11, 4]", "f32[N, 4, 4]"),
    )
    return [
        Sample(
            MaxPoolGradient(window, strides),
            # all elements are equal, so that the first one of each window gets all
            (tensor(x, 2, 2), Sample(MaxPool(window, strides), (tensor(x, 2, 2),)), tensor(g)),
        )
        for window, strides, x, g in rows
    ]


def linear_recurrence() -> list[Sample]:
    rows = []
    for units, gates in ((7, 3), (37, 4), (1, 1), (16, 2)):
        sequence, state = tensor(f"f32[N, T, {units}]", -1, 1), tensor(f"f32[N, {units}]")
        wide = tensor(f"f32[N, T, {gates * units}]", -1, 1)
        matrix = tensor(f"f32[{gates * units}, {units}]", -0.5, 0.5)
        products = (sequence, state, matrix, wide)
        rows += [
            Sample(LinearRecurrence(), (sequence, sequence)),
            Sample(LinearRecurrence(reverse=True), (sequence, None, state, matrix, wide)),
            Sample(
                LinearRecurrence(reverse=True), (sequence, *products, wide, *[sequence] * 3, state)
            ),
            Sample(LinearRecurrence(), (sequence, *products, wide, sequence, sequence)),
            Sample(
                LinearRecurrence(),
                (sequence, *products, *[None] * 5, tensor(f"f32[N, {gates * units}]", 0, 2)),
            ),
        ]
    half = tensor("f16[N, T, 7]", -1, 1)
    rows.append(Sample(LinearRecurrence(reverse=True), (half, half), tolerance=2e-3))
    return rows


def recurrent_gradient() -> list[Sample]:
    rows = []
    for units in (7, 37, 1, 48):
        kept, cells = (tensor(f"f32[N, T, {n * units}]", -1, 1) for n in (4, 1))
        state, matrix = tensor(f"f32[N, {units}]"), tensor(f"f32[{4 * units}, {units}]", -0.5, 0.5)
        rows += [
            Sample(LSTMGradient(), (kept, cells, matrix, None, None, None, state)),
            Sample(
                LSTMGradient(),
                (
                    *(kept, cells, matrix, state, tensor("bool[N, T]"), cells, state, state),
                    tensor(f"f32[N, {4 * units}]", 0, 2),
                ),
            ),
        ]
    return rows
