"""The transforms of Winograd's F(4x4, 3x3): 4 x 4 results from 6 x 6 elements and a 3 x 3 filter.

Along one axis, 4 neighbouring results of a filter of 3 are coefficients of a polynomial product,
which its values at 0, +-p, +-q and infinity tell: transform 6 elements and the filter, multiply the
6 pairs, transform back. p = sqrt(1/2) and q = sqrt(2) make the factors alike in size: the error is
half of what p = 1/2, q = 1 or p = 1, q = 2 leave. Each transform takes a list of registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

from kerac.backends.llvm.kernel import KernelBuilder

WINDOW = 3
OUTPUTS = 4  # results along an axis that a tile makes
INPUTS = OUTPUTS + WINDOW - 1  # elements along an axis that it reads, and products that it needs
PRODUCTS = INPUTS * INPUTS

P, Q = sqrt(0.5), sqrt(2.0)
P2, Q2 = 0.5, 2.0  # p * q = 1
# what the polynomial that is zero at all other points is worth at p and at q
P_SCALE, Q_SCALE = 1 / (2 * P2 * (P2 - Q2)), 1 / (2 * Q2 * (Q2 - P2))

Transform = Callable[[KernelBuilder, Sequence[Any]], list[Any]]


def transform_inputs(k: KernelBuilder, d: Sequence[Any]) -> list[Any]:
    """6 elements -> their 6 factors."""
    p_even, p_odd = k.fma(-Q2, d[2], d[4]), k.fma(-Q2, d[1], d[3])
    q_even, q_odd = k.fma(-P2, d[2], d[4]), k.fma(-P2, d[1], d[3])
    return [
        k.fma(-P2 - Q2, d[2], d[0] + d[4]),
        k.fma(P, p_odd, p_even),
        k.fma(-P, p_odd, p_even),
        k.fma(Q, q_odd, q_even),
        k.fma(-Q, q_odd, q_even),
        k.fma(-P2 - Q2, d[3], d[1] + d[5]),
    ]


def transform_filter(k: KernelBuilder, g: Sequence[Any]) -> list[Any]:
    """3 elements of a filter -> their 6 factors."""
    p_even, q_even = k.fma(P2, g[2], g[0]), k.fma(Q2, g[2], g[0])
    return [
        g[0],
        k.fma(P, g[1], p_even),
        k.fma(-P, g[1], p_even),
        k.fma(Q, g[1], q_even),
        k.fma(-Q, g[1], q_even),
        g[2],
    ]


def transform_products(k: KernelBuilder, m: Sequence[Any]) -> list[Any]:
    """6 products -> 4 results."""
    p_sum, p_difference = m[1] + m[2], m[1] - m[2]
    q_sum, q_difference = m[3] + m[4], m[3] - m[4]

    def combine(power: int, p_part: Any, q_part: Any) -> Any:
        return k.fma(P**power * P_SCALE, p_part, q_part * (Q**power * Q_SCALE))

    return [
        k.fma(P_SCALE, p_sum, k.fma(Q_SCALE, q_sum, m[0])),
        combine(1, p_difference, q_difference),
        combine(2, p_sum, q_sum),
        k.fma(P**3 * P_SCALE, p_difference, k.fma(Q**3 * Q_SCALE, q_difference, m[5])),
    ]
