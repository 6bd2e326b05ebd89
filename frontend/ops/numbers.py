"""Functions of single elements: trigonometry, logarithms, rounding, special functions."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, pi
from typing import Any

import numpy as np

from kerac import activations
from kerac.ir import Value, numpy_dtype, ops
from kerac.ops.promotion import floating, number_like
from kerac.ops.registry import operation

Formula = Callable[[Value], Value]


def define(
    name: str,
    formula: Formula,
    doc: str,
    module: str = "numpy",
    class_name: str | None = None,
    of_complex: Callable[..., Any] | None = None,
) -> None:
    """Register a function of one tensor."""

    def compute(x: Value) -> Value:
        return formula(x)

    compute.__name__ = name
    compute.__doc__ = doc
    operation(module, class_name, of_complex)(compute)


def where(condition: Value, x: Any, y: Any) -> Value:
    """x where the condition holds, else y; one of them may be a number."""
    like = x if isinstance(x, Value) else y
    one, other = (v if isinstance(v, Value) else number_like(v, like) for v in (x, y))
    return ops.select(condition, one, other)


def sqrt_of(x: Value) -> Value:
    """Square root."""
    return ops.Sqrt()(x)


def exp(x: Value) -> Value:
    """e to the power of x."""
    return ops.Exp()(x)


def log_of(x: Value) -> Value:
    """Natural logarithm."""
    return ops.Log()(x)


def arctan(x: Value) -> Value:
    """The angle whose tangent is x."""
    return ops.Arctangent()(x)


def arcsin(x: Value) -> Value:
    """The angle whose sine is x."""
    return arctan(x / sqrt_of((1.0 - x) * (1.0 + x)))


def arccos(x: Value) -> Value:
    """The angle whose cosine is x."""
    return 2.0 * arctan(sqrt_of((1.0 - x) / (1.0 + x)))


def arcsinh(x: Value) -> Value:
    """log(x + sqrt(x^2 + 1)), without cancellation."""
    size = abs(x)
    found = ops.Log1p()(size + size * size / (1.0 + sqrt_of(size * size + 1.0)))
    return where(x < 0, -found, found)


def arccosh(x: Value) -> Value:
    """log(x + sqrt(x^2 - 1)), without cancellation near 1."""
    above = x - 1.0
    return ops.Log1p()(above + sqrt_of(above * (above + 2.0)))


def arctanh(x: Value) -> Value:
    """(log(1 + x) - log(1 - x)) / 2."""
    return 0.5 * (ops.Log1p()(x) - ops.Log1p()(-x))


def ceil(x: Value) -> Value:
    """The next integer towards infinity."""
    return -ops.Floor()(-x)


def trunc(x: Value) -> Value:
    """The next integer towards 0."""
    return where(x < 0, ceil(x), ops.Floor()(x))


def sign(x: Value) -> Value:
    """-1, 0 or 1; NaN stays NaN."""
    if x.dtype == "bool":
        return x
    zero, one = number_like(0, x), number_like(1, x)
    if x.dtype.startswith("u"):
        return ops.select(x > 0, one, zero)
    rest = x if x.tensor_type.is_float else zero
    return ops.select(x > 0, one, ops.select(x < 0, -one, rest))


def cbrt(x: Value) -> Value:
    """The cube root, of negative numbers too."""
    size = ops.Power()(abs(x), number_like(1 / 3, x))
    return where(x < 0, -size, size)


def sinc(x: Value) -> Value:
    """sin(pi x) / (pi x), which is 1 at 0."""
    is_zero = ops.Equal()(x, number_like(0, x))
    angle = where(is_zero, 1.0, x * pi)
    return where(is_zero, 1.0, ops.Sin()(angle) / angle)


def _polynomial(x: Value, coefficients: tuple[float, ...]) -> Value:
    """Horner's rule, highest power first."""
    total = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * x + coefficient
    return total


# Abramowitz and Stegun (1964), 9.8.1 and 9.8.2
BESSEL_NEAR = (0.0045813, 0.0360768, 0.2659732, 1.2067492, 3.0899424, 3.5156229, 1.0)
BESSEL_FAR = (
    *(0.00392377, -0.01647633, 0.02635537, -0.02057706, 0.00916281),
    *(-0.00157565, 0.00225319, 0.01328592, 0.39894228),
)
# Giles (2012), of w = -log(1 - x^2), less 2.5, and of sqrt(w), less 3
INVERSE_NEAR = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
INVERSE_FAR = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)


def i0(x: Value) -> Value:
    """The modified Bessel function of the first kind and order 0."""
    size = abs(x)
    near = _polynomial((size / 3.75) * (size / 3.75), BESSEL_NEAR)
    large = ops.maximum(size, 3.75)
    far = exp(large) / sqrt_of(large) * _polynomial(3.75 / large, BESSEL_FAR)
    return where(size < 3.75, near, far)


def erfinv(x: Value) -> Value:
    """The number whose error function is x."""
    w = -ops.Log1p()(-(x * x))
    near = _polynomial(ops.minimum(w, 5.0) - 2.5, INVERSE_NEAR)
    far = _polynomial(sqrt_of(ops.maximum(w, 5.0)) - 3.0, INVERSE_FAR)
    found = where(w < 5.0, near, far) * x
    return where(x >= 1.0, inf, where(x <= -1.0, -inf, found))


def is_nan(x: Value) -> Value:
    """Whether an element is no number."""
    return ops.NotEqual()(x, x)


def is_inf(x: Value) -> Value:
    """Whether an element is infinite."""
    if not x.tensor_type.is_float:
        return is_nan(x)
    return ops.Equal()(abs(x), number_like(inf, x))


def is_signed(sign_: float) -> Formula:
    """Whether an element is the infinity of that sign."""

    def formula(x: Value) -> Value:
        if not x.tensor_type.is_float:
            return is_nan(x)
        return ops.Equal()(x, number_like(sign_ * inf, x))

    return formula


def is_finite(x: Value) -> Value:
    """Whether an element is neither infinite nor NaN."""
    if not x.tensor_type.is_float:
        return ops.Equal()(x, x)
    return ops.Less()(abs(x), number_like(inf, x))


def signbit(x: Value) -> Value:
    """Whether the sign is negative, that of -0 too."""
    if not x.tensor_type.is_float:
        return is_nan(x) if x.dtype == "bool" else x < 0
    return ops.LogicalOr()(x < 0, ops.Equal()(1.0 / x, number_like(-inf, x)))


def invert(x: Value) -> Value:
    """All bits turned."""
    if x.dtype == "bool":
        return ops.LogicalNot()(x)
    ones = np.iinfo(x.tensor_type.numpy_dtype).max if x.dtype.startswith("u") else -1
    return ops.BitwiseXor()(x, ops.constant(ones, x.dtype))


def absolute(x: Value) -> Value:
    """|x|."""
    return x if x.dtype == "bool" else ops.Absolute()(x)


def square(x: Value) -> Value:
    """x * x."""
    return ops.Square()(ops.cast(x, "i32") if x.dtype == "bool" else x)


def logical_not(x: Value) -> Value:
    """Whether x is 0 or false."""
    return ops.LogicalNot()(x) if x.dtype == "bool" else ops.Equal()(x, number_like(0, x))


def angle(x: Value) -> Value:
    """The angle of a real number in the plane: 0 or pi."""
    x = floating(x)
    return where(is_nan(x), x, where(signbit(x), pi, number_like(0.0, x)))


def everywhere(number: float, x: Value) -> Value:
    """A number in the shape of x."""
    return ops.broadcast_to(number_like(number, x), x.shape)


def real_everywhere(x: Value) -> Value:
    """Whether elements are real, as all are."""
    return ops.broadcast_to(ops.constant(True), x.shape)


def _camel_case(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


FLOATING: dict[str, tuple[Formula, str]] = {
    "exp": (exp, "e to the power of x."),
    "expm1": (ops.Expm1(), "exp(x) - 1, exact near 0."),
    "log": (log_of, "Natural logarithm."),
    "log1p": (ops.Log1p(), "log(1 + x), exact near 0."),
    "sqrt": (sqrt_of, "Square root."),
    "reciprocal": (ops.Reciprocal(), "1 / x."),
    "sin": (ops.Sin(), "Sine of x radians."),
    "cos": (ops.Cos(), "Cosine of x radians."),
    "tanh": (ops.Tanh(), "Hyperbolic tangent."),
    "floor": (ops.Floor(), "The next integer towards minus infinity."),
    "tan": (lambda x: ops.Sin()(x) / ops.Cos()(x), "Tangent of x radians."),
    "arcsin": (arcsin, "The angle whose sine is x."),
    "arccos": (arccos, "The angle whose cosine is x."),
    "arctan": (arctan, "The angle whose tangent is x."),
    "sinh": (lambda x: 0.5 * (ops.Expm1()(x) - ops.Expm1()(-x)), "Hyperbolic sine."),
    "cosh": (lambda x: 0.5 * (exp(x) + exp(-x)), "Hyperbolic cosine."),
    "arcsinh": (arcsinh, "The number whose hyperbolic sine is x."),
    "arccosh": (arccosh, "The number whose hyperbolic cosine is x."),
    "arctanh": (arctanh, "The number whose hyperbolic tangent is x."),
    "log2": (lambda x: log_of(x) * (1 / log(2)), "Logarithm with base 2."),
    "log10": (lambda x: log_of(x) * (1 / log(10)), "Logarithm with base 10."),
    "exp2": (lambda x: exp(x * log(2)), "2 to the power of x."),
    "cbrt": (cbrt, "Cube root."),
    "ceil": (ceil, "The next integer towards infinity."),
    "fabs": (abs, "|x| in floating point."),
    "deg2rad": (lambda x: x * (pi / 180), "Degrees as radians."),
    "rad2deg": (lambda x: x * (180 / pi), "Radians as degrees."),
    "sinc": (sinc, "sin(pi x) / (pi x)."),
    "i0": (i0, "The modified Bessel function of the first kind and order 0."),
}
MATH: dict[str, tuple[Formula, str]] = {
    "erf": (ops.Erf(), "The error function."),
    "rsqrt": (ops.Rsqrt(), "1 / sqrt(x)."),
    "erfc": (lambda x: 1.0 - ops.Erf()(x), "1 - erf(x)."),
    "erfinv": (erfinv, "The number whose error function is x."),
}
ANY: dict[str, tuple[Formula, str]] = {
    "isnan": (is_nan, "Whether elements are no numbers."),
    "isinf": (is_inf, "Whether elements are infinite."),
    "isposinf": (is_signed(1.0), "Whether elements are infinity."),
    "isneginf": (is_signed(-1.0), "Whether elements are minus infinity."),
    "isfinite": (is_finite, "Whether elements are neither infinite nor NaN."),
    "signbit": (signbit, "Whether signs are negative."),
    "sign": (sign, "-1, 0 or 1."),
    "negative": (ops.Negative(), "-x."),
    "abs": (absolute, "|x|."),
    "absolute": (absolute, "|x|."),
    "square": (square, "x * x."),
    "logical_not": (logical_not, "Whether x is not true."),
    "trunc": (lambda x: trunc(x) if x.tensor_type.is_float else x, "The integer towards 0."),
    "copy": (lambda x: x, "The same."),
}
CLASS_NAMES = {"logical_not": "LogicalNot"}
INVERTS = {"bitwise_not": "BitwiseNot", "bitwise_invert": "BitwiseInvert"}
COMPLEX: dict[str, tuple[Formula, str, Any]] = {
    "real": (lambda x: x, "The real part.", np.real),
    "imag": (lambda x: everywhere(0, x), "The imaginary part.", np.imag),
    "conj": (lambda x: x, "The conjugate.", np.conj),
    "conjugate": (lambda x: x, "The conjugate.", np.conj),
    "angle": (angle, "The angle in the plane.", np.angle),
    "isreal": (real_everywhere, "No imaginary part.", np.isreal),
}
ACTIVATIONS: dict[str, tuple[str, str]] = {
    **{
        name: (name, _camel_case(name))
        for name in (
            "relu",
            "relu6",
            "sigmoid",
            "silu",
            "softplus",
            "hard_sigmoid",
            "hard_silu",
            "hard_tanh",
            "log_sigmoid",
            "selu",
            "softsign",
        )
    },
    "swish": ("silu", "Silu"),
    "hard_swish": ("hard_silu", "HardSilu"),
    "tanh_shrink": ("tanh_shrink", "TanhShrink"),
    "sparse_plus": ("sparse_plus", "SparsePlus"),
    "sparse_sigmoid": ("sparse_sigmoid", "SparseSigmoid"),
}

for _name, (_formula, _doc) in FLOATING.items():
    define(_name, lambda x, f=_formula: f(floating(x)), _doc)  # type: ignore[misc]
for _name, (_formula, _doc) in MATH.items():
    define(_name, lambda x, f=_formula: f(floating(x)), _doc, "math")  # type: ignore[misc]
for _name, (_formula, _doc) in ANY.items():
    define(_name, _formula, _doc, class_name=CLASS_NAMES.get(_name, _name.capitalize()))
for _name, _class in INVERTS.items():
    define(_name, invert, "All bits turned.", class_name=_class)
for _name, (_formula, _doc, _numpy) in COMPLEX.items():
    define(_name, _formula, _doc, class_name=_name.capitalize(), of_complex=_numpy)
for _name, (_activation, _class) in ACTIVATIONS.items():
    define(
        _name,
        lambda x, name=_activation: activations.get(name)(floating(x)),  # type: ignore[misc]
        f"The activation {_activation}.",
        "nn",
        _class,
    )


@operation()
def round_(x: Value, decimals: int = 0) -> Value:
    """The nearest number of so many decimals, halves to even."""
    if not x.tensor_type.is_float:
        if decimals >= 0:
            return ops.cast(x, "i32") if x.dtype == "bool" else x
        factor = 10.0**-decimals
        return ops.cast(ops.Round()(ops.cast(x, "f32") / factor) * factor, x.dtype)
    if not decimals:
        return ops.Round()(x)
    factor = 10.0**decimals
    return ops.Round()(x * factor) / factor


@operation()
def nan_to_num(
    x: Value, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Value:
    """Numbers in the place of NaN and infinities: the largest ones where none is given."""
    if not x.tensor_type.is_float:
        return x
    _, largest = number_limits(x.dtype)
    high = largest if posinf is None else posinf
    low = -largest if neginf is None else neginf
    x = where(is_nan(x), nan, x)
    return where(is_signed(1.0)(x), high, where(is_signed(-1.0)(x), low, x))


def number_limits(dtype: str) -> tuple[float, float]:
    """The smallest and the largest number of a dtype."""
    if dtype[0] in "iu":
        limits = np.iinfo(numpy_dtype(dtype))
        return int(limits.min), int(limits.max)
    import ml_dtypes

    largest = float(ml_dtypes.finfo(numpy_dtype(dtype)).max)  # type: ignore[no-untyped-call]
    return -largest, largest
