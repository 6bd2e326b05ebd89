"""The functions that formulas of elementwise ops are written in: one formula serves every backend.

A formula takes `m`, one implementation of `Mathematics`, and operands that know + - * / and unary
minus. Comparisons are functions of `m`; numbers may stand for some operands, but not for all.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np


class Mathematics(Protocol):
    """What a backend implements once, and every elementwise op is made of."""

    def exp(self, x: Any) -> Any: ...
    def expm1(self, x: Any) -> Any: ...
    def log(self, x: Any) -> Any: ...
    def log1p(self, x: Any) -> Any: ...
    def sqrt(self, x: Any) -> Any: ...
    def tanh(self, x: Any) -> Any: ...
    def sigmoid(self, x: Any) -> Any: ...
    def silu(self, x: Any) -> Any: ...
    def erf(self, x: Any) -> Any: ...
    def gelu(self, x: Any) -> Any: ...
    def sin(self, x: Any) -> Any: ...
    def cos(self, x: Any) -> Any: ...
    def abs(self, x: Any) -> Any: ...
    def floor(self, x: Any) -> Any: ...
    def round(self, x: Any) -> Any: ...
    def maximum(self, x: Any, y: Any) -> Any: ...
    def minimum(self, x: Any, y: Any) -> Any: ...
    def power(self, x: Any, y: Any) -> Any: ...
    def less(self, x: Any, y: Any) -> Any: ...
    def select(self, condition: Any, x: Any, y: Any) -> Any: ...
    def bits(self, operation: str, x: Any, y: Any) -> Any: ...


# what formulas call operations on bits
BITS = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "shift_left": np.left_shift,
    "shift_right": np.right_shift,
}


def gelu_by_erf(m: Mathematics, x: Any) -> Any:
    """`gelu` where there is nothing better."""
    return x * 0.5 * (m.erf(x * math.sqrt(0.5)) + 1.0)


class NumpyMathematics:
    """The reference meaning."""

    exp = staticmethod(np.exp)
    expm1 = staticmethod(np.expm1)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    sqrt = staticmethod(np.sqrt)
    tanh = staticmethod(np.tanh)
    sin = staticmethod(np.sin)
    cos = staticmethod(np.cos)
    abs = staticmethod(np.abs)
    floor = staticmethod(np.floor)
    round = staticmethod(np.rint)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    power = staticmethod(np.power)
    less = staticmethod(np.less)
    select = staticmethod(np.where)

    @staticmethod
    def bits(operation: str, x: Any, y: Any) -> Any:
        return BITS[operation](x, y)

    @staticmethod
    def sigmoid(x: Any) -> Any:
        return 1.0 / (1.0 + np.exp(-x))

    def silu(self, x: Any) -> Any:
        return x * self.sigmoid(x)

    @staticmethod
    def erf(x: Any) -> Any:
        return _erf(x).astype(x.dtype)

    def gelu(self, x: Any) -> Any:
        return gelu_by_erf(self, x)


def _erf(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x.astype(np.float64)), dtype=np.float64)


NUMPY = NumpyMathematics()
