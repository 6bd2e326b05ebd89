"""Elementwise functions of one operand: one formula each, which NumPy, kernels and ONNX share.

Formulas and constants are those of Keras 3 (`keras.activations`), so that files mean the same here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import Any

from kerac.ir.errors import ShapeError
from kerac.ir.mathematics import Mathematics
from kerac.ir.op import parse_op
from kerac.ir.ops.elementwise import Unary

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class Negative(Unary):
    """-x."""

    float_only = False

    def formula(self, m: Mathematics, x: Any) -> Any:
        return -x


class Absolute(Unary):
    """|x|."""

    float_only = False

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.abs(x)


class Exp(Unary):
    """e to the power of x."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.exp(x)


class Expm1(Unary):
    """exp(x) - 1 without cancellation near 0."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.expm1(x)


class Log(Unary):
    """Natural logarithm."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.log(x)


class Log1p(Unary):
    """log(1 + x) without cancellation near 0."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.log1p(x)


class Sqrt(Unary):
    """Square root."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.sqrt(x)


class Rsqrt(Unary):
    """1 / sqrt(x)."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return 1.0 / m.sqrt(x)


class Reciprocal(Unary):
    """1 / x."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return 1.0 / x


class Square(Unary):
    """x * x."""

    float_only = False

    def formula(self, m: Mathematics, x: Any) -> Any:
        return x * x


class Erf(Unary):
    """The error function."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.erf(x)


class Sin(Unary):
    """Sine of x radians."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.sin(x)


class Cos(Unary):
    """Cosine of x radians."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.cos(x)


class Floor(Unary):
    """The next integer towards minus infinity."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.floor(x)


class Round(Unary):
    """The nearest integer, halves to even."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.round(x)


class Tanh(Unary):
    """Hyperbolic tangent."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.tanh(x)


class Sigmoid(Unary):
    """1 / (1 + exp(-x))."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.sigmoid(x)


class Relu(Unary):
    """max(x, 0)."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.maximum(x, 0.0)


class Relu6(Unary):
    """min(max(x, 0), 6)."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.minimum(m.maximum(x, 0.0), 6.0)


@dataclass(frozen=True)
class LeakyRelu(Unary):
    """x where x >= 0, else negative_slope * x."""

    negative_slope: float = 0.2

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.select(m.less(x, 0.0), x * self.negative_slope, x)


@dataclass(frozen=True)
class Threshold(Unary):
    """x where x > threshold, else value."""

    threshold: float = 0.0
    value: float = 0.0

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.select(m.less(self.threshold, x), x, self.value)


@dataclass(frozen=True)
class Elu(Unary):
    """x where x >= 0, else alpha * (exp(x) - 1)."""

    alpha: float = 1.0

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.select(m.less(x, 0.0), m.expm1(x) * self.alpha, x)


class Selu(Unary):
    """Scaled exponential linear unit (Klambauer et al., 2017)."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.select(m.less(x, 0.0), m.expm1(x) * SELU_ALPHA, x) * SELU_SCALE


@dataclass(frozen=True)
class Celu(Unary):
    """max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1) (Barron, 2017)."""

    alpha: float = 1.0

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.maximum(x, 0.0) + m.expm1(m.minimum(x, 0.0) / self.alpha) * self.alpha


class Silu(Unary):
    """x * sigmoid(x), also called swish."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.silu(x)


@dataclass(frozen=True)
class Gelu(Unary):
    """x * Phi(x) of the normal distribution, `approximate` by tanh (Hendrycks and Gimpel, 2016)."""

    approximate: bool = False

    def formula(self, m: Mathematics, x: Any) -> Any:
        if self.approximate:
            return x * 0.5 * (m.tanh((x + x * x * x * 0.044715) * sqrt(2 / pi)) + 1.0)
        return m.gelu(x)


class Softplus(Unary):
    """log(1 + exp(x)), without overflow."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.maximum(x, 0.0) + m.log1p(m.exp(-m.abs(x)))


class LogSigmoid(Unary):
    """log(sigmoid(x)), without overflow."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.minimum(x, 0.0) - m.log1p(m.exp(-m.abs(x)))


class Softsign(Unary):
    """x / (1 + |x|)."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return x / (m.abs(x) + 1.0)


@dataclass(frozen=True)
class Squareplus(Unary):
    """(x + sqrt(x * x + b)) / 2."""

    b: float = 4.0

    def formula(self, m: Mathematics, x: Any) -> Any:
        return (x + m.sqrt(x * x + self.b)) * 0.5


@dataclass(frozen=True)
class SoftShrink(Unary):
    """x moved by threshold towards 0, and 0 inside."""

    threshold: float = 0.5

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.maximum(x - self.threshold, 0.0) + m.minimum(x + self.threshold, 0.0)


@dataclass(frozen=True)
class HardShrink(Unary):
    """x where |x| > threshold, else 0."""

    threshold: float = 0.5

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.select(m.less(self.threshold, m.abs(x)), x, 0.0)


class TanhShrink(Unary):
    """x - tanh(x)."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return x - m.tanh(x)


class HardSigmoid(Unary):
    """x / 6 + 1/2, clipped to 0 ... 1."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.minimum(m.maximum(x * (1.0 / 6.0) + 0.5, 0.0), 1.0)


class HardSilu(Unary):
    """x * hard_sigmoid(x), also called hard swish."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return x * m.minimum(m.maximum(x * (1.0 / 6.0) + 0.5, 0.0), 1.0)


class HardTanh(Unary):
    """x clipped to -1 ... 1."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.minimum(m.maximum(x, -1.0), 1.0)


class SparseSigmoid(Unary):
    """(x + 1) / 2, clipped to 0 ... 1."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return m.minimum(m.maximum(x * 0.5 + 0.5, 0.0), 1.0)


class SparsePlus(Unary):
    """0 up to -1, x from 1 on, (x + 1)^2 / 4 between."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        inner = (x + 1.0) * (x + 1.0) * 0.25
        return m.select(m.less(x, 1.0), m.select(m.less(-1.0, x), inner, 0.0), x)


class Mish(Unary):
    """x * tanh(softplus(x))."""

    def formula(self, m: Mathematics, x: Any) -> Any:
        return x * m.tanh(m.maximum(x, 0.0) + m.log1p(m.exp(-m.abs(x))))


def activation_of(activation: Unary | str | None) -> Unary | None:
    """An elementwise function from its op or its text, as `"relu"`; None means no activation."""
    if activation is None or isinstance(activation, Unary):
        return activation
    op = parse_op(activation)
    if not isinstance(op, Unary):
        raise ShapeError(f"{activation!r} is not an elementwise function of one operand")
    return op
