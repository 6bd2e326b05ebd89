"""Random numbers: the published bits, and the distributions that they are meant to have."""

from __future__ import annotations

import numpy as np
import pytest

from kerac.ir import evaluate_graph, parse
from kerac.ir.ops.random import _rotate, threefry


def draw(op: str, shape: str, key: tuple[int, int], stream: int = 0) -> np.ndarray:
    text = f"def f(key: u32[2]):\n    return {op}(key, shape={shape}, stream={stream})\n"
    return evaluate_graph(parse(text), [np.array(key, np.uint32)])[0]


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_bits_are_those_that_the_authors_give(key, counter, expected) -> None:
    def word(number: int) -> np.ndarray:
        return np.array([number], np.uint32)

    words = threefry(
        (word(key[0]), word(key[1])),
        (word(counter[0]), word(counter[1])),
        lambda x, y: x ^ np.uint32(y),
        _rotate,
    )
    assert tuple(int(x[0]) for x in words) == expected


def test_numbers_are_spread_as_they_should() -> None:
    uniform = draw("random_uniform", "(100000,)", (1, 2))
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.005
    assert abs(uniform.var() - 1 / 12) < 0.002
    normal = draw("random_normal", "(100000,)", (1, 2))
    assert abs(normal.mean()) < 0.015
    assert abs(normal.var() - 1) < 0.02
    assert abs((normal**4).mean() - 3) < 0.15


def test_keys_and_streams_are_independent() -> None:
    first = draw("random_uniform", "(10000,)", (1, 2))
    np.testing.assert_array_equal(first, draw("random_uniform", "(100, 100)", (1, 2)).reshape(-1))
    for other in (
        draw("random_uniform", "(10000,)", (1, 3)),
        draw("random_uniform", "(10000,)", (2, 2)),
        draw("random_uniform", "(10000,)", (1, 2), stream=1),
    ):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.05
