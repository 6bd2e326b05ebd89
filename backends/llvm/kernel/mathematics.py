"""Vector mathematics in registers: the `Mathematics` protocol over a kernel builder.

f32 functions are polynomials or rational functions evaluated inline, within a few units in the last place (ULP);
the tests sweep the whole range. Other dtypes fall back to libm, lane by lane.
"""

from __future__ import annotations

import math
from typing import Any

from kerac.backends.llvm.kernel.builder import KernelBuilder
from kerac.backends.llvm.kernel.nodes import Operand, Register

LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first with few bits, so that n * LN2_HIGH is exact
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
# minimax coefficients of (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/2, highest power first (Cephes, expf)
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
# of (log(1 + r) - r + r^2/2) / r^3 on sqrt(1/2) - 1 <= r <= sqrt(2) - 1 (Cephes, logf)
LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)

# of x exp(x^2) erfc(x) in 1/x^2, for 1 <= x < 2 and beyond (Cephes, erfcf)
ERFC_MIDDLE = (
    2.326819970068386e-2,
    -1.387039388740657e-1,
    3.687424674597105e-1,
    -5.824733027278666e-1,
    6.210004621745983e-1,
    -4.944515323274145e-1,
    3.404879937665872e-1,
    -2.741127028184656e-1,
    5.638259427386472e-1,
)
ERFC_FAR = (
    -1.047766399936249e1,
    1.297719955372516e1,
    -7.495518717768503,
    2.921019019210786,
    -1.015265279202700,
    4.218463358204948e-1,
    -2.820767439740514e-1,
    5.641895067754075e-1,
)


class KernelMathematics:
    """Formulas over the registers of one builder."""

    def __init__(self, builder: KernelBuilder) -> None:
        self.k = builder

    def exp(self, x: Any) -> Any:
        """2^n * exp(r) with x = n ln 2 + r; at most 2 ULP, 0 below and infinity above the range."""
        if x.kind.dtype != "f32":
            return self.k.compute("exp", x)
        n, r = self._reduced(x)
        inner = self._polynomial(EXP, r)
        return self._scaled(self.k.fma(inner, r * r, r) + 1.0, n)

    def expm1(self, x: Any) -> Any:
        """exp(x) - 1 without cancellation: 2^n (exp(r) - 1) + (2^n - 1)."""
        if x.kind.dtype != "f32":
            return self._expm1_wide(x)
        n, r = self._reduced(x)
        inner = self.k.fma(self._polynomial(EXP, r), r * r, r)
        scale = self._scaled(self.k.number(1.0, x.kind), n)
        # near the upper end 2^n alone overflows where exp(x) does not
        plain = self._scaled(inner + 1.0, n) - 1.0
        return self.k.select(self.k.compare("less", x, 80.0), self.k.fma(inner, scale, scale - 1.0), plain)

    def _expm1_wide(self, x: Register) -> Any:
        """(e^x - 1) x / log(e^x), which cancels the rounding of e^x (Kahan)."""
        power = self.k.compute("exp", x)
        quotient = (power - 1.0) * x / self.k.compute("log", power)
        close = self.k.select(self.k.compare("equal", power, 1.0), x, quotient)
        extreme = self.k.compare("greater", self.abs(x), 30.0)
        return self.k.select(extreme, power - 1.0, close)

    def _reduced(self, x: Register) -> tuple[Register, Register]:
        """n and r with x = n ln 2 + r; x is clamped to where the result is neither 0 nor infinite."""
        clamped = self.k.maximum(self.k.minimum(x, 89.0), -104.0)
        n = self.k.compute("round", clamped * LOG2_E)
        r = self.k.fma(n, -LN2_HIGH, clamped)
        return n, self.k.fma(n, -LN2_LOW, r)

    def _scaled(self, x: Any, n: Register) -> Any:
        """x * 2^n in two steps, so that neither factor leaves the range of exponents."""
        whole = self.k.convert(n, "i32")
        half = self.k.compute("shift_right", whole, 1)
        for part in (half, whole - half):
            x = x * self.k.bitcast(self.k.compute("shift_left", part + 127, 23), "f32")
        return x

    def _polynomial(self, coefficients: tuple[float, ...], x: Register) -> Any:
        """Horner's scheme, highest power first."""
        value: Operand = coefficients[0]
        for coefficient in coefficients[1:]:
            value = self.k.fma(value, x, coefficient)
        return value

    def log(self, x: Any) -> Any:
        """log(m) + e ln 2 with x = m 2^e and m in [sqrt(1/2), sqrt(2)); NaN below 0, -infinity at 0."""
        if x.kind.dtype != "f32":
            return self.k.compute("log", x)
        k = self.k
        tiny = k.compare("less", x, 1.17549435e-38)
        normal = k.select(tiny, x * 8388608.0, x)
        bits = k.bitcast(normal, "i32")
        # subtracting the bits of sqrt(1/2) before the exponent is cut off centres m around 1
        moved = bits - 0x3F3504F3
        exponent = k.compute("shift_right", moved, 23)
        mantissa = k.bitcast(k.compute("and", moved, 0x7FFFFF) + 0x3F3504F3, "f32")
        e = k.convert(exponent, "f32") + k.select(tiny, -23.0, 0.0, x.kind)
        result = self._log_of_mantissa(mantissa - 1.0, e)
        result = k.select(k.compare("equal", x, math.inf), math.inf, result)
        result = k.select(k.compare("equal", x, 0.0), -math.inf, result)
        # the comparison is false for NaN, too
        return k.select(k.compare("greater_equal", x, 0.0), result, math.nan)

    def _log_of_mantissa(self, r: Register, e: Any) -> Any:
        square = r * r
        tail = self._polynomial(LOG, r) * r * square
        tail = self.k.fma(e, LN2_LOW, tail)
        return self.k.fma(e, LN2_HIGH, r + self.k.fma(square, -0.5, tail))

    def log1p(self, x: Any) -> Any:
        """log(u) corrected by the part of x that u = 1 + x has lost."""
        k = self.k
        u = x + 1.0
        lost = x - (u - 1.0)
        corrected = self.log(u) + lost / u
        exact = k.compare("equal", u, 1.0)
        result = k.select(exact, x, corrected)
        return k.select(k.compare("equal", u, math.inf), u, result)

    def sqrt(self, x: Any) -> Any:
        """Correctly rounded."""
        return self.k.compute("sqrt", x)

    def tanh(self, x: Any) -> Any:
        """An odd rational function near 0, 1 - 2 / (exp(2x) + 1) farther out; at most 3 ULP."""
        k = self.k
        size = self.abs(x)
        far = 1.0 - 2.0 / (self.exp(size * 2.0) + 1.0)
        if x.kind.dtype != "f32":
            power = self.expm1(size * 2.0)
            return k.compute("copysign", k.select(k.compare("less", size, 20.0), power / (power + 2.0), far), x)
        square = x * x
        # tanh(x) = x + x^3 P(x^2) for |x| < 0.625 (Cephes, tanhf)
        near_tail = self._polynomial(
            (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1), square
        )
        near = k.fma(near_tail * square, x, x)
        return k.select(k.compare("less", size, 0.625), near, k.compute("copysign", far, x))

    def sigmoid(self, x: Any) -> Any:
        """1 / (1 + exp(-x))."""
        return 1.0 / (self.exp(-x) + 1.0)

    def erf(self, x: Any) -> Any:
        """Rational for |x| < 1, 1 - exp(-x^2) * erfcx(x) beyond."""
        k = self.k
        size = k.minimum(self.abs(x), 6.0)
        square = size * size
        # erf(x) = x P(x^2) for |x| <= 1 (Cephes, erff)
        near = x * self._polynomial(
            (
                7.853861353153693e-5,
                -8.010193625184903e-4,
                5.188327685732524e-3,
                -2.685381193529856e-2,
                1.128358514861418e-1,
                -3.761262582423300e-1,
                1.128379165726710,
            ),
            square,
        )
        # erfc(x) = exp(-x^2) / x P(1 / x^2) for x > 1 (Cephes, erfcf)
        inverse = 1.0 / k.maximum(size, 1.0)
        tail = k.select(
            k.compare("less", size, 2.0),
            self._polynomial(ERFC_MIDDLE, inverse * inverse),
            self._polynomial(ERFC_FAR, inverse * inverse),
        )
        far = k.compute("copysign", 1.0 - self.exp(-square) * inverse * tail, x)
        # NaN fails the comparison and must come through
        result = k.select(k.compare("less", size, 1.0), near, far)
        return k.select(k.compare("equal", x, x), result, x)

    def sin(self, x: Any) -> Any:
        """By libm."""
        return self.k.compute("sin", x)

    def cos(self, x: Any) -> Any:
        """By libm."""
        return self.k.compute("cos", x)

    def abs(self, x: Any) -> Any:
        """The sign removed."""
        if not x.kind.is_float:
            return x if x.kind.is_unsigned else self.k.compute("maximum", x, -x)
        return self.k.compute("absolute", x)

    def floor(self, x: Any) -> Any:
        """The next integer towards minus infinity."""
        return self.k.compute("floor", x)

    def round(self, x: Any) -> Any:
        """The nearest integer, halves to even."""
        return self.k.compute("round", x)

    def maximum(self, x: Any, y: Any) -> Any:
        """The larger one."""
        return self.k.maximum(x, y)

    def minimum(self, x: Any, y: Any) -> Any:
        """The smaller one."""
        return self.k.minimum(x, y)

    def power(self, x: Any, y: Any) -> Any:
        """By libm."""
        return self.k.compute("power", x, y)

    def less(self, x: Any, y: Any) -> Any:
        """x < y."""
        return self.k.compare("less", x, y)

    def select(self, condition: Any, x: Any, y: Any) -> Any:
        """x where the condition holds, else y."""
        return self.k.select(condition, x, y)
