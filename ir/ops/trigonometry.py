"""The inverse of the tangent, of which the other inverse functions are made."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from kerac.ir.mathematics import Mathematics
from kerac.ir.op import Array
from kerac.ir.ops.elementwise import Unary

# of (atan(x) - x) / x^3 in x^2 for |x| <= tan(pi/8), highest power first, within 1e-16
ARCTANGENT = (
    0.016285756855221028, -0.034570561981427744, 0.04551593220626549, -0.05230454270650244,
    0.05878928997834775, -0.06666424885738255, 0.07692296375032143, -0.09090908753500877,
    0.11111111105155447, -0.14285714285659828, 0.19999999999999804, -0.3333333333333333,
)  # fmt: skip
NEAR, FAR = 0.4142135623730950, 2.414213562373095  # tan(pi/8) and tan(3 pi/8)


class Arctangent(Unary):
    """The angle from -pi/2 to pi/2 whose tangent is x."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        size = m.abs(x)
        near, far = m.less(size, NEAR), m.less(FAR, size)
        middle = (size - 1.0) / (size + 1.0)
        moved = m.select(near, size, m.select(far, -1.0 / size, middle))
        start = m.select(far, pi / 2, m.select(near, 0.0 * moved, moved * 0.0 + pi / 4))
        square = moved * moved
        sums = square * ARCTANGENT[0] + ARCTANGENT[1]
        for coefficient in ARCTANGENT[2:]:
            sums = sums * square + coefficient
        angle = start + (sums * square * moved + moved)
        return m.select(m.less(x, 0.0), -angle, angle)

    def evaluate(self, *arrays: Array) -> Array:
        return np.asarray(np.arctan(arrays[0]))
