"""The transforms of Winograd's F(4x4, 3x3) and F(2x2, 3x3).

F(4x4) makes 4 x 4 results from 6 x 6 elements and a 3 x 3 filter, F(2x2) makes 2 x 2 from 4 x 4.

Along one axis, 4 neighbouring results of a filter of 3 are coefficients of a polynomial product,
which its values at 0, +-p, +-q and infinity tell: transform 6 elements and the filter, multiply the
6 pairs, transform back. p = sqrt(1/2) and q = sqrt(2) make the factors alike in size: the error is
half of what p = 1/2, q = 1 or p = 1, q = 2 leave. For 2 results the points are 0, +-1 and infinity.
Each transform takes a list of registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from kerac.backends.llvm.kernel import Index, KernelBuilder, Register

WINDOW = 3

P, Q = sqrt(0.5), sqrt(2.0)
P2, Q2 = 0.5, 2.0  # p * q = 1
# what the polynomial that is zero at all other points is worth at p and at q
P_SCALE, Q_SCALE = 1 / (2 * P2 * (P2 - Q2)), 1 / (2 * Q2 * (Q2 - P2))

Load = Callable[[Index, int], Register]  # an element, by its line and its column
Number = Callable[[Index], Register]  # a number of the form, in every lane
Store = Callable[[Index, int, Any], None]  # what is transformed, by its line and its column


@dataclass(frozen=True, eq=False)
class Form:
    """F(m x m, 3 x 3): `outputs` results along an axis that a tile makes."""

    outputs: int
    points: np.ndarray  # numbers that the transform of a tile needs
    transform_tile: Callable[[KernelBuilder, Load, Store, Number], None]
    transform_products: Callable[[KernelBuilder, Sequence[Any]], list[Any]]
    filter_rows: tuple[tuple[float, float, float], ...]  # of the matrix that transforms a filter

    @property
    def inputs(self) -> int:
        """Elements along an axis that a tile reads, and products that it needs."""
        return self.outputs + WINDOW - 1

    @property
    def products(self) -> int:
        """Products that a tile needs for a channel and a filter."""
        return self.inputs**2

    def transformed(self, kernel: np.ndarray) -> np.ndarray:
        """kernel: [3, 3, C, F] -> [products, C, F], rounded once."""
        rows = np.array(self.filter_rows)
        factors = np.einsum("ai,bj,ijcf->bacf", rows, rows, kernel.astype(np.float64))
        shape = (self.products, *kernel.shape[2:])
        return np.asarray(factors.reshape(shape), kernel.dtype)


# of both halves of F(4x4), then what the other factors are made with
POINTS = (-Q2, P, -P, -P2, Q, -Q, -P2 - Q2)


def _six(k: KernelBuilder, d: Sequence[Any], number: Number) -> list[Any]:
    """6 elements -> their 6 factors."""
    p_square, p, p_opposite, q_square, q, q_opposite, both = map(number, range(len(POINTS)))
    p_even, p_odd = k.fma(p_square, d[2], d[4]), k.fma(p_square, d[1], d[3])
    q_even, q_odd = k.fma(q_square, d[2], d[4]), k.fma(q_square, d[1], d[3])
    return [
        k.fma(both, d[2], d[0] + d[4]),
        k.fma(p, p_odd, p_even),
        k.fma(p_opposite, p_odd, p_even),
        k.fma(q, q_odd, q_even),
        k.fma(q_opposite, q_odd, q_even),
        k.fma(both, d[3], d[1] + d[5]),
    ]


def _tile_of_four(k: KernelBuilder, load: Load, store: Store, number: Number) -> None:
    """6 x 6 elements -> their 36 factors, in two halves that stay in registers.

    The first half makes lines 0, 1, 2 of the factors, the second one lines 5, 3, 4.
    """

    def half(second: Index) -> None:
        square, point, opposite = (number(k.add(k.multiply(second, 3), i)) for i in range(3))
        both = number(6)
        lines: list[list[Any]] = [[], [], []]
        for j in range(6):
            ends = load(second, j) + load(k.add(second, 4), j)
            lines[0].append(k.fma(both, load(k.add(second, 2), j), ends))
            even = k.fma(square, load(2, j), load(4, j))
            odd = k.fma(square, load(1, j), load(3, j))
            lines[1].append(k.fma(point, odd, even))
            lines[2].append(k.fma(opposite, odd, even))
        twice = k.multiply(second, 2)
        places = (k.multiply(second, 5), k.add(twice, 1), k.add(twice, 2))
        for place, line in zip(places, lines, strict=True):
            for j, value in enumerate(_six(k, line, number)):
                store(place, j, value)

    k.loop("half", 0, 2, half)


def _four(d: Sequence[Any]) -> list[Any]:
    """4 elements -> their 4 factors."""
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _tile_of_two(k: KernelBuilder, load: Load, store: Store, _: Number) -> None:
    """4 x 4 elements -> their 16 factors."""
    columns = [_four([load(i, j) for i in range(4)]) for j in range(4)]
    for i in range(4):
        for j, value in enumerate(_four([column[i] for column in columns])):
            store(i, j, value)


def transform_filter(k: KernelBuilder, g: Sequence[Any]) -> list[Any]:
    """3 elements of a filter -> their 6 factors of F(4x4)."""
    p_even, q_even = k.fma(P2, g[2], g[0]), k.fma(Q2, g[2], g[0])
    return [
        g[0],
        k.fma(P, g[1], p_even),
        k.fma(-P, g[1], p_even),
        k.fma(Q, g[1], q_even),
        k.fma(-Q, g[1], q_even),
        g[2],
    ]


def _products_of_six(k: KernelBuilder, m: Sequence[Any]) -> list[Any]:
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


def _products_of_four(k: KernelBuilder, m: Sequence[Any]) -> list[Any]:
    """4 products -> 2 results."""
    return [m[0] + (m[1] + m[2]), (m[1] - m[2]) - m[3]]


BY_FOUR = Form(
    4,
    np.array(POINTS, np.float32),
    _tile_of_four,
    _products_of_six,
    ((1, 0, 0), (1, P, P2), (1, -P, P2), (1, Q, Q2), (1, -Q, Q2), (0, 0, 1)),
)
BY_TWO = Form(
    2,
    np.empty(0, np.float32),
    _tile_of_two,
    _products_of_four,
    ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
)

# of F(4x4), which alone transforms filters at run time
OUTPUTS, INPUTS, PRODUCTS = BY_FOUR.outputs, BY_FOUR.inputs, BY_FOUR.products
