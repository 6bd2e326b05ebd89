"""Rows of `tests/samples.py` for recurrent ops."""

from __future__ import annotations

from typing import Any

from kerac.ir.ops import GRU, LSTM, HardSigmoid, Item, Recurrent, Relu, SimpleRNN
from tests.sample import Sample, tensor, weight


def scaled_recurrent(kind: type[Recurrent], first: Any, rest: Any, wide: int) -> list[Sample]:
    (initial, mask), scale = rest, tensor(f"f32[N, {wide}]", 0, 2)
    return [
        Sample(kind(), (*first, *[None] * len(initial), None, scale)),
        Sample(kind(reverse=True), (*first, *initial, mask, scale)),
    ]


def recurrent() -> list[Sample]:
    return [*variants(), *other_activations()]


def variants() -> list[Sample]:
    rows = []
    for kind, states, bias in ((SimpleRNN, 1, "{}"), (LSTM, 2, "{}"), (GRU, 1, "2, {}")):
        features, units = 5, 7
        wide = kind.gates * units
        x = tensor(f"f32[N, T, {features}]")
        weights = (weight(f"f32[{features}, {wide}]"), weight(f"f32[{units}, {wide}]"))
        given_bias = weight(f"f32[{bias.format(wide)}]")
        initial = (tensor(f"f32[N, {units}]"),) * states
        mask = tensor("bool[N, T]")
        nothing = (None,) * states
        rows += [
            Sample(kind(), (x, *weights)),
            Sample(kind(), (x, *weights, given_bias)),
            Sample(kind(reverse=True), (x, *weights, given_bias)),
            Sample(kind(), (x, *weights, given_bias, *initial)),
            Sample(kind(), (x, *weights, given_bias, *nothing, mask)),
            Sample(
                kind(reverse=True, zero_output_for_mask=True),
                (x, *weights, given_bias, *initial, mask),
            ),
            Sample(
                kind(activation=Relu()), (tensor(f"f32[2, 6, {features}]"), *weights, given_bias)
            ),
            Sample(kind(activation=None), (x, *weights)),
            *scaled_recurrent(kind, (x, *weights, given_bias), (initial, mask), wide),
            Sample(Item(0), (Sample(kind(), (x, *weights, given_bias)),)),
            Sample(Item(1), (Sample(kind(), (x, *weights, given_bias)),)),
        ]
    return rows


def other_activations() -> list[Sample]:
    x = tensor("f32[N, T, 33]")
    hard = HardSigmoid()
    return [
        Sample(
            LSTM(recurrent_activation=hard),
            (x, weight("f32[33, 160]"), weight("f32[40, 160]"), weight("f32[160]")),
        ),
        Sample(GRU(recurrent_activation=hard), (x, weight("f32[33, 48]"), weight("f32[16, 48]"))),
        Sample(
            GRU(reset_after=False),
            (x, weight("f32[33, 48]"), weight("f32[16, 48]"), weight("f32[48]")),
        ),
        Sample(
            GRU(reset_after=False, reverse=True), (x, weight("f32[33, 21]"), weight("f32[7, 21]"))
        ),
        Sample(
            GRU(reset_after=False),
            (
                *(x, weight("f32[33, 21]"), weight("f32[7, 21]"), None, None, tensor("bool[N, T]")),
                tensor("f32[N, 21]", 0, 2),
            ),
        ),
    ]
