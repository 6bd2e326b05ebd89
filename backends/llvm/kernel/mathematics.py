"""Vector mathematics in registers: the `Mathematics` protocol over a kernel builder.

f32 functions are polynomials evaluated inline; the docstrings say how many units in the last place
(ULP) they may be off, anywhere in the range, and the tests check that. f16 and bf16 are computed in
f32. f64 calls libm, lane by lane.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from kerac.backends.llvm.kernel.builder import KernelBuilder
from kerac.backends.llvm.kernel.nodes import Register
from kerac.backends.llvm.kernel.wide_mathematics import cosine, power, sine
from kerac.ir.mathematics import gelu_by_erf

LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first with few bits, so that n * LN2_HIGH is exact
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
# x + MAGIC - MAGIC is x rounded to an integer, which the lowest bits of x + MAGIC hold
MAGIC, MAGIC_BITS = 12582912.0, 0x4B400000
ONE_BITS = 0x3F800000
SQRT_HALF_BITS = 0x3F3504F3
SMALLEST_NORMAL = 1.17549435e-38
# minimax of (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/2, highest power first
EXP = (
    1.3820051681250334e-3,
    8.36868304759264e-3,
    4.166827350854874e-2,
    1.666652113199234e-1,
    4.999999403953552e-1,
)
# of 2^f on |f| <= 1/2, 0.6 ULP
EXP2 = (
    1.3276467280871132e-3,
    9.675541241884314e-3,
    5.550713287343727e-2,
    2.402211972650407e-1,
    6.931469670609406e-1,
    1.0000000716517528,
)
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
# of erf(x) / x in 2 (x / ERF_END)^2 - 1 for |x| <= ERF_END, where it is 1 to the last place;
# minimax of the relative error
ERF_END = 3.88
ERF = (
    -6.95720199e-4,
    1.75899582e-3,
    -1.27877714e-3,
    1.88227091e-3,
    -6.92524342e-3,
    1.29751693e-2,
    -1.88783444e-2,
    2.85615753e-2,
    -4.21895646e-2,
    5.73998950e-2,
    -7.35544711e-2,
    9.07286257e-2,
    -1.09880164e-1,
    1.35299057e-1,
    -1.81921318e-1,
    3.64449948e-1,
)
# of x P(x^2) / Q(x^2) = Phi(x) - 1/2 of the normal distribution for |x| <= GELU_END, to 5e-8, where
# Phi(-x) is not much more
GELU_END = 5.1
GELU_P = (
    11.442235729655637,
    606.3693881685033,
    11196.204404776561,
    99026.2628927187,
    833415.7862777729,
)
GELU_Q = (
    217.71995048590642,
    5354.433172174805,
    75254.82593159069,
    596389.6581709449,
    2089065.084314813,
)

Function = Callable[..., Any]


def narrow_in_f32(function: Function) -> Function:
    """Compute f16 and bf16 operands in f32 and round once at the end."""

    @wraps(function)
    def wrapped(self: KernelMathematics, *operands: Any) -> Any:
        dtype = operands[0].kind.dtype
        if dtype not in ("f16", "bf16"):
            return function(self, *operands)
        wide = [self.k.convert(x, "f32") if isinstance(x, Register) else x for x in operands]
        return self.k.convert(function(self, *wide), dtype)

    return wrapped


class KernelMathematics:
    """Formulas over the registers of one builder."""

    def __init__(self, builder: KernelBuilder) -> None:
        self.k = builder

    @narrow_in_f32
    def exp(self, x: Any) -> Any:
        """2^n e^r with x = n ln 2 + r. 1.2 ULP; 0 below and infinity above the range."""
        if x.kind.dtype == "f64":
            return self.k.compute("exp", x)
        # what is clamped becomes 0 or infinity in the last step
        n, r = self._reduced(self.k.maximum(self.k.minimum(x, 89.0), -104.0))
        return self.k.scale(self._polynomial((*EXP, 1.0, 1.0), r), n)

    def _reduced(self, x: Register) -> tuple[Register, Register]:
        """An integer n and r with x = n ln 2 + r."""
        k = self.k
        moved = k.fma(x, LOG2_E, MAGIC)
        n = moved - MAGIC
        r = k.fma(n, -LN2_LOW, k.fma(n, -LN2_HIGH, x))
        return k.bitcast(moved, "i32") - MAGIC_BITS, r

    def _power_of_two(self, n: Register) -> Register:
        """2^n for -126 <= n <= 127, and 0 for -127."""
        return self.k.bitcast(self.k.compute("shift_left", n, 23) + ONE_BITS, "f32")

    def _polynomial(self, coefficients: Sequence[float], x: Register, start: Any = None) -> Any:
        """Horner's scheme, highest power first; `start` stands for those of all higher powers."""
        value, *rest = coefficients if start is None else (start, *coefficients)
        for coefficient in rest:
            value = self.k.fma(value, x, coefficient)
        return value

    def _expm1_parts(self, x: Register) -> tuple[Register, Register]:
        """n and exp(r) - 1 with x = n ln 2 + r."""
        n, r = self._reduced(x)
        return n, self.k.fma(self._polynomial(EXP, r), r * r, r)

    @narrow_in_f32
    def expm1(self, x: Any) -> Any:
        """exp(x) - 1 without cancellation: 2^n (exp(r) - 1) + (2^n - 1). 1.6 ULP."""
        if x.kind.dtype == "f64":
            return self._expm1_wide(x)
        n, inner = self._expm1_parts(self.k.maximum(self.k.minimum(x, 89.0), -87.0))
        # in halves: 2^n alone would overflow where exp(x) does not
        scale = self._power_of_two(n - 1)
        return self.k.fma(inner, scale, scale - 0.5) * 2.0

    def _expm1_wide(self, x: Register) -> Any:
        """(e^x - 1) x / log(e^x), which cancels the rounding of e^x (Kahan)."""
        exponential = self.k.compute("exp", x)
        quotient = (exponential - 1.0) * x / self.k.compute("log", exponential)
        close = self.k.select(self.k.compare("equal", exponential, 1.0), x, quotient)
        extreme = self.k.compare("greater", self.abs(x), 30.0)
        return self.k.select(extreme, exponential - 1.0, close)

    @narrow_in_f32
    def log(self, x: Any) -> Any:
        """ln m + e ln 2 with x = m 2^e. 1 ULP; NaN below 0, -infinity at 0."""
        if x.kind.dtype == "f64":
            return self.k.compute("log", x)
        k = self.k
        tiny = k.compare("less", x, SMALLEST_NORMAL)
        mantissa, exponent = self._mantissa_and_exponent(k.select(tiny, x * 8388608.0, x))
        e = k.convert(exponent, "f32") + k.select(tiny, -23.0, 0.0, x.kind)
        return self._log_at_the_ends(self._log_of(mantissa - 1.0, e), x)

    def _mantissa_and_exponent(self, x: Register) -> tuple[Register, Register]:
        """m and e with x = m 2^e, m in [sqrt(1/2), sqrt(2)), for normal positive x."""
        # subtracting the bits of sqrt(1/2) before the exponent is cut off centres m around 1
        moved = self.k.bitcast(x, "i32") - SQRT_HALF_BITS
        fraction = self.k.compute("and", moved, 0x7FFFFF) + SQRT_HALF_BITS
        return self.k.bitcast(fraction, "f32"), self.k.compute("shift_right", moved, 23)

    def _log_of(self, r: Register, e: Register) -> Any:
        """log(1 + r) + e ln 2."""
        square = r * r
        tail = self.k.fma(e, LN2_LOW, self._polynomial(LOG, r) * r * square)
        return self.k.fma(e, LN2_HIGH, r + self.k.fma(square, -0.5, tail))

    def _log_at_the_ends(self, result: Register, x: Register) -> Any:
        """The result where x is positive and finite, and what it must be elsewhere."""
        k = self.k
        result = k.select(k.compare("equal", x, math.inf), math.inf, result)
        result = k.select(k.compare("equal", x, 0.0), -math.inf, result)
        # the comparison is false for NaN, too
        return k.select(k.compare("greater_equal", x, 0.0), result, math.nan)

    @narrow_in_f32
    def log1p(self, x: Any) -> Any:
        """log(u), u = 1 + x, with the part of x that u has lost put back. 1.5 ULP."""
        k = self.k
        u = x + 1.0
        lost = x - (u - 1.0)
        if x.kind.dtype == "f64":
            result = k.select(k.compare("equal", u, 1.0), x, k.compute("log", u) + lost / u)
            return k.select(k.compare("equal", u, math.inf), u, result)
        mantissa, exponent = self._mantissa_and_exponent(u)
        # u + lost = 2^e (m + lost / 2^e), and nothing is lost where e is large
        r = k.fma(lost, self._power_of_two(0 - k.minimum(exponent, 127)), mantissa - 1.0)
        return self._log_at_the_ends(self._log_of(r, k.convert(exponent, "f32")), u)

    def sqrt(self, x: Any) -> Any:
        """Correctly rounded."""
        return self.k.compute("sqrt", x)

    @narrow_in_f32
    def tanh(self, x: Any) -> Any:
        """p / (p + 2) with p = exp(2x) - 1. 2.7 ULP."""
        numerator, denominator = self.tanh_fraction(x)
        return numerator / denominator

    def tanh_fraction(self, x: Any) -> tuple[Any, Any]:
        """Numerator and denominator of tanh(x), so that one division may serve a product."""
        k = self.k
        # beyond, the result is 1 to the last place; for positive numbers p + 2 is rounded less
        most = 9.02 if x.kind.dtype == "f32" else 20.0
        twice = k.minimum(self.abs(x), most) * 2.0
        if x.kind.dtype == "f64":
            p = self.expm1(twice)
        else:
            n, inner = self._expm1_parts(twice)
            scale = self._power_of_two(n)
            p = k.fma(inner, scale, scale - 1.0)
        return k.compute("copysign", p, x), p + 2.0

    @narrow_in_f32
    def sigmoid(self, x: Any) -> Any:
        """1 / (1 + exp(-x)). 2.4 ULP where that is a normal number, 0 below."""
        return 1.0 / self.sigmoid_denominator(x)

    def sigmoid_denominator(self, x: Any) -> Any:
        """1 / sigmoid(x), so that one division may serve a product."""
        return self.exp(-x) + 1.0

    @narrow_in_f32
    def silu(self, x: Any) -> Any:
        """x / (1 + exp(-x)). 2.0 ULP of x, not of the result."""
        if x.kind.dtype == "f64":
            return x * self.sigmoid(x)
        k = self.k
        # farther out the result is x or 0; in between, exponents stay in their range
        low = k.maximum(x, -87.0)
        bounded = k.minimum(low, 87.0)
        # 2^(n + f): that f is rounded matters only where the power is much smaller than 1
        moved = k.fma(bounded, -LOG2_E, MAGIC)
        fraction = self._polynomial(EXP2, k.fma(bounded, -LOG2_E, MAGIC - moved))
        # the lowest bits of `moved` are n, and are added to the exponent
        exponent = k.compute("shift_left", k.bitcast(moved, "i32"), 23)
        return low / (k.bitcast(k.bitcast(fraction, "i32") + exponent, "f32") + 1.0)

    @narrow_in_f32
    def erf(self, x: Any) -> Any:
        """x P(x^2) up to where it is 1. 4.0 ULP."""
        k = self.k
        if x.kind.dtype == "f64":
            return k.compute("erf", x)
        bounded = k.maximum(k.minimum(x, ERF_END), -ERF_END)
        place = k.fma(bounded * bounded, 2 / ERF_END**2, -1.0)
        return bounded * self._polynomial(ERF, place)

    @narrow_in_f32
    def gelu(self, x: Any) -> Any:
        """x Phi(x), Phi of the normal distribution. 4.0 ULP of x, not of the result."""
        if x.kind.dtype == "f64":
            return gelu_by_erf(self, x)
        k = self.k
        # a fraction of short polynomials: many of these are in flight where a product ends
        low = k.maximum(x, -GELU_END)
        bounded = k.minimum(low, GELU_END)
        square = bounded * bounded
        denominator = self._polynomial(GELU_Q[1:], square, square + GELU_Q[0])
        fraction = bounded * self._polynomial(GELU_P, square) / denominator
        return low * (fraction + 0.5)

    @narrow_in_f32
    def sin(self, x: Any) -> Any:
        """1.7 ULP."""
        return self.k.compute("sin", x) if x.kind.dtype == "f64" else sine(self.k, x)

    @narrow_in_f32
    def cos(self, x: Any) -> Any:
        """1.7 ULP."""
        return self.k.compute("cos", x) if x.kind.dtype == "f64" else cosine(self.k, x)

    @narrow_in_f32
    def power(self, x: Any, y: Any) -> Any:
        """0.6 ULP."""
        return self.k.compute("power", x, y) if x.kind.dtype == "f64" else power(self.k, x, y)

    def abs(self, x: Any) -> Any:
        """The sign removed."""
        if not x.kind.is_float:
            return x if x.kind.is_unsigned else self.k.compute("maximum", x, -x)
        return self.k.compute("absolute", x)

    @narrow_in_f32
    def floor(self, x: Any) -> Any:
        """The next integer towards minus infinity."""
        if "round" in self.k.abilities:
            return self.k.compute("floor", x)
        nearest = self.round(x)
        return nearest - self.k.select(self.k.compare("greater", nearest, x), 1.0, 0.0, x.kind)

    @narrow_in_f32
    def round(self, x: Any) -> Any:
        """The nearest integer, halves to even."""
        k = self.k
        if "round" in k.abilities:
            return k.compute("round", x)
        # a number from this one on is an integer; below it, adding it moves the fraction out
        end = 2.0**52 if x.kind.dtype == "f64" else 2.0**23
        moved = k.compute("copysign", k.number(end, x.kind), x)
        nearest = k.compute("copysign", (x + moved) - moved, x)
        return k.select(k.compare("less", self.abs(x), end), nearest, x)

    def maximum(self, x: Any, y: Any) -> Any:
        """The larger one."""
        return self.k.maximum(x, y)

    def minimum(self, x: Any, y: Any) -> Any:
        """The smaller one."""
        return self.k.minimum(x, y)

    def less(self, x: Any, y: Any) -> Any:
        """x < y."""
        return self.k.compare("less", x, y)

    def select(self, condition: Any, x: Any, y: Any) -> Any:
        """x where the condition holds, else y."""
        return self.k.select(condition, x, y)

    def bits(self, operation: str, x: Any, y: Any) -> Any:
        """and, or, xor, shift_left and shift_right of integers."""
        return self.k.compute(operation, x, y)
