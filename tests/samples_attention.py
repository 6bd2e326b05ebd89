"""Rows of `tests/samples.py` for attention."""

from __future__ import annotations

from kerac.ir.ops import Attention
from tests.sample import Operand, Sample, tensor


def attention() -> list[Sample]:
    query, key, value = tensor("f32[N, 7, 4, 5]"), tensor("f32[N, 9, 4, 5]"), "f32[N, 9, 4, 19]"
    steps, shared = tensor("f32[N, T, 2, 8]"), tensor("f32[N, T, 1, 8]")
    many, most = tensor("f32[2, 300, 1, 4]"), tensor("f32[2, 600, 1, 4]")
    rows: tuple[tuple[Attention, *tuple[Operand | None, ...]], ...] = (
        (Attention(), query, key, tensor(value)),
        (Attention(0.4, causal=True), query, key, tensor(value)),
        (Attention(window=3), query, key, tensor(value), None, tensor("f32[4, 1, 9]")),
        (Attention(causal=True, window=2), query, key, tensor(value), tensor("bool[N, 1, 7, 9]")),
        (Attention(), query, key, tensor(value), tensor("bool[N, 1, 1, 9]")),
        (Attention(0.3), steps, shared, shared),
        (Attention(0.3, causal=True), steps, steps, steps),
        (
            Attention(0.3, zero_masked=True, window=2),
            *(steps, steps, steps, tensor("bool[N, 2, T, 1]"), tensor("f32[N, 1, T, T]")),
        ),
        (Attention(), many, most, tensor("f32[2, 600, 1, 3]")),
        (Attention(causal=True), many, most, most),
        (Attention(zero_masked=True), many, most, most, tensor("bool[300, 1]")),
    )
    return [Sample(op, tuple(operands)) for op, *operands in rows]
