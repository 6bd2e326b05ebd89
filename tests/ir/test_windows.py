"""The arithmetic of windows."""

from __future__ import annotations

from itertools import product

import pytest

from kerac.ir.dims import substitute, symbol
from kerac.ir.ops.window import output_length, same_padding


@pytest.mark.parametrize("window", range(1, 8))
def test_padding_same_is_exact_for_symbols(window: int) -> None:
    for stride, dilation in product(range(1, 8), range(1, 4)):
        symbolic = same_padding(symbol("T"), window, stride, dilation)
        for length in range(1, 30):
            extent = (window - 1) * dilation + 1
            total = max((-(-length // stride) - 1) * stride + extent - length, 0)
            assert same_padding(length, window, stride, dilation) == (total // 2, -(-total // 2))
            found = tuple(substitute(amount, {"T": length}) for amount in symbolic)
            assert found == (total // 2, -(-total // 2)), (stride, dilation, length)


def test_what_padding_same_adds_makes_whole_windows() -> None:
    for window, stride in product(range(1, 6), range(1, 6)):
        length = symbol("T")
        before, after = same_padding(length, window, stride, 1)
        positions = output_length(length, window, stride, 1, "same")
        extent = length + before + after
        for number in range(window, 20):
            given = {"T": number}
            found = output_length(substitute(extent, given), window, stride, 1, "valid")
            assert found == substitute(positions, given)
