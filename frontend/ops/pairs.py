"""Functions of two operands that broadcast: division, bits, comparison."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, pi

import numpy as np

from kerac.ir import Value, ops
from kerac.layers.merging import broadcastable
from kerac.ops.numbers import exp, is_finite, is_nan, sign, signbit, sqrt_of, trunc, where
from kerac.ops.promotion import Operand, floating, floats, number_like, promoted
from kerac.ops.registry import on_arrays, operation

Formula = Callable[..., Value]


def together(*operands: Operand) -> list[Value]:
    """Operands of one dtype whose shapes broadcast; lengths that are not known become equal."""
    return broadcastable(promoted(*operands))


def define(
    name: str, formula: Formula, doc: str, class_name: str | None = None, names: str = "x1 x2"
) -> None:
    """Register a function of two operands."""
    if names == "x y":

        def compute(x: Operand, y: Operand) -> Value:
            return formula(x, y)
    else:

        def compute(x1: Operand, x2: Operand) -> Value:  # type: ignore[misc]
            return formula(x1, x2)

    compute.__name__ = name
    compute.__doc__ = doc
    operation("numpy", class_name)(compute)


def of_floats(formula: Formula) -> Formula:
    """The formula on floating-point operands."""
    return lambda x, y: formula(*(floating(v) for v in together(x, y)))


def of_numbers(formula: Formula) -> Formula:
    """The formula on numbers; truth values are the integers 0 and 1."""

    def numbers(x: Operand, y: Operand) -> Value:
        values = together(x, y)
        return formula(*(ops.cast(v, "i32") if v.dtype == "bool" else v for v in values))

    return numbers


def floor_divide(x: Value, y: Value) -> Value:
    """The quotient rounded towards minus infinity."""
    if x.tensor_type.is_float:
        return ops.Floor()(x / y)
    # quotients of integers of 32 bits are exact in f64 but for the last bit, which floor drops
    wide = ops.Floor()(ops.cast(x, "f64") / ops.cast(y, "f64"))
    return ops.cast(wide, x.dtype)


def mod(x: Value, y: Value) -> Value:
    """The remainder with the sign of y."""
    if x.tensor_type.is_float:
        rest = fmod(x, y)
        other = ops.LogicalAnd()(ops.NotEqual()(rest, number_like(0, x)), _differ(rest, y))
        return ops.select(other, rest + y, rest)
    return x - floor_divide(x, y) * y


def _differ(x: Value, y: Value) -> Value:
    """Whether signs differ."""
    return ops.NotEqual()(x < 0, y < 0)


def fmod(x: Value, y: Value) -> Value:
    """The remainder with the sign of x."""
    if x.tensor_type.is_float:
        return x - trunc(x / y) * y
    if x.dtype.startswith("u"):
        return x - floor_divide(x, y) * y
    return x - ops.cast(ops.cast(x, "f64") / ops.cast(y, "f64"), x.dtype) * y


def divide_no_nan(x: Value, y: Value) -> Value:
    """x / y, and 0 where y is 0."""
    is_zero = ops.Equal()(y, number_like(0, y))
    return where(is_zero, 0.0, x / where(is_zero, 1.0, y))


def arctan2(y: Value, x: Value) -> Value:
    """The angle of the point x, y in the plane."""
    on_axis = ops.Equal()(x, number_like(0, x))
    both = ops.LogicalAnd()(on_axis, ops.Equal()(y, number_like(0, y)))
    endless = ops.Equal()(abs(x), number_like(inf, x))
    endless = ops.LogicalAnd()(endless, ops.Equal()(abs(y), number_like(inf, y)))
    ratio = where(endless, sign(x) * sign(y), y / where(on_axis, 1.0, x))
    steep = sign(y) * (pi / 2)
    angle = ops.select(on_axis, ops.select(both, y, steep), ops.Arctangent()(ratio))
    turn = where(signbit(y), -pi, number_like(pi, x))
    behind = ops.LogicalOr()(x < 0, ops.LogicalAnd()(both, signbit(x)))
    return ops.select(behind, angle + turn, angle)


def heaviside(x: Value, y: Value) -> Value:
    """0 below 0, 1 above it, y at 0."""
    one, zero = number_like(1, x), number_like(0, x)
    found = ops.select(x > 0, one, ops.select(x < 0, zero, y))
    return where(is_nan(x), x, found)


def logaddexp(x: Value, y: Value) -> Value:
    """log(exp(x) + exp(y)), without overflow."""
    top, difference = ops.maximum(x, y), abs(x - y)
    near = ops.Log1p()(exp(-where(is_nan(difference), 0.0, difference)))
    return ops.select(is_finite(top), top + near, top)


def logaddexp2(x: Value, y: Value) -> Value:
    """log2(2^x + 2^y), without overflow."""
    return logaddexp(x * log(2), y * log(2)) * (1 / log(2))


def hypot(x: Value, y: Value) -> Value:
    """sqrt(x^2 + y^2), without overflow."""
    one, other = abs(x), abs(y)
    top = ops.maximum(one, other)
    safe = where(ops.Equal()(top, number_like(0, top)), 1.0, top)
    return top * sqrt_of((one / safe) * (one / safe) + (other / safe) * (other / safe))


def _without_nan(op: ops.Binary) -> Formula:
    def formula(x: Value, y: Value) -> Value:
        x, y = together(x, y)
        return ops.select(is_nan(x), y, ops.select(is_nan(y), x, op(x, y)))

    return formula


def gcd(x: Value, y: Value) -> Value:
    """The greatest common divisor, by Euclid's algorithm."""
    x, y = abs(x), abs(y)
    bits = x.tensor_type.numpy_dtype.itemsize * 8
    for _ in range(int(bits * 1.45) + 1):  # Fibonacci numbers take longest
        safe = where(ops.Equal()(y, number_like(0, y)), 1, y)
        done = ops.Equal()(y, number_like(0, y))
        rest = x - floor_divide(x, safe) * safe
        x, y = ops.select(done, x, y), ops.select(done, y, rest)
    return x


def lcm(x: Value, y: Value) -> Value:
    """The least common multiple."""
    x, y = abs(x), abs(y)
    divisor = gcd(x, y)
    safe = where(ops.Equal()(divisor, number_like(0, x)), 1, divisor)
    return floor_divide(x, safe) * y


def bits(op: ops.Bitwise, truth: Formula | None) -> Formula:
    """An op on bits; on truth values it is one of logic."""

    def formula(x: Operand, y: Operand) -> Value:
        x, y = together(x, y)
        if x.dtype == "bool" and truth is not None:
            return truth(x, y)
        if x.dtype == "bool":
            x, y = ops.cast(x, "i32"), ops.cast(y, "i32")
        return op(x, y)

    return formula


def _truth(x: Operand, y: Operand) -> list[Value]:
    values = [v if isinstance(v, Value) else ops.constant(v) for v in (x, y)]
    return broadcastable(
        [v if v.dtype == "bool" else ops.NotEqual()(v, number_like(0, v)) for v in values]
    )


def _ldexp(x: Operand, y: Operand) -> Value:
    x, y = floats(x, y)
    return ops.multiply(*broadcastable([x, ops.Power()(number_like(2.0, y), y)]))


def on_truth(op: ops.Binary, truth: Formula) -> Formula:
    """An op on numbers; on truth values it is one of logic."""

    def formula(x: Operand, y: Operand) -> Value:
        one, other = together(x, y)
        return truth(one, other) if one.dtype == "bool" else op(one, other)

    return formula


def power(x: Value, y: Value) -> Value:
    """x to the power of y; integers go through f64, which holds them."""
    if x.tensor_type.is_float:
        return ops.Power()(x, y)
    return ops.cast(ops.Power()(ops.cast(x, "f64"), ops.cast(y, "f64")), x.dtype)


def compared(op: ops.Comparison) -> Formula:
    """A comparison of operands brought to one dtype; truth values are 0 and 1."""
    return lambda x, y: op(*(ops.cast(v, "u8") if v.dtype == "bool" else v for v in together(x, y)))


def of_truth(op: ops.Logical) -> Formula:
    """An op of logic, for which all numbers but 0 are true."""
    return lambda x, y: op(*_truth(x, y))


FUNCTIONS: dict[str, tuple[Formula, str]] = {
    "add": (on_truth(ops.Add(), ops.LogicalOr()), "x1 + x2."),
    "subtract": (lambda x, y: ops.Subtract()(*together(x, y)), "x1 - x2."),
    "multiply": (on_truth(ops.Multiply(), ops.LogicalAnd()), "x1 * x2."),
    "divide": (of_floats(ops.Divide()), "x1 / x2."),
    "true_divide": (of_floats(ops.Divide()), "x1 / x2."),
    "power": (of_numbers(power), "x1 to the power of x2."),
    "maximum": (on_truth(ops.Maximum(), ops.LogicalOr()), "The larger one."),
    "minimum": (on_truth(ops.Minimum(), ops.LogicalAnd()), "The smaller one."),
    "equal": (compared(ops.Equal()), "x1 == x2."),
    "not_equal": (compared(ops.NotEqual()), "x1 != x2."),
    "less": (compared(ops.Less()), "x1 < x2."),
    "less_equal": (compared(ops.LessEqual()), "x1 <= x2."),
    "greater": (compared(ops.Greater()), "x1 > x2."),
    "greater_equal": (compared(ops.GreaterEqual()), "x1 >= x2."),
    "logical_and": (of_truth(ops.LogicalAnd()), "Whether both are true."),
    "logical_or": (of_truth(ops.LogicalOr()), "Whether one is true."),
    "floor_divide": (of_numbers(floor_divide), "The quotient towards minus infinity."),
    "mod": (of_numbers(mod), "The remainder with the sign of x2."),
    "fmod": (of_numbers(fmod), "The remainder with the sign of x1."),
    "divide_no_nan": (of_floats(divide_no_nan), "x1 / x2, and 0 where x2 is 0."),
    "arctan2": (of_floats(arctan2), "The angle of the point x2, x1."),
    "heaviside": (of_floats(heaviside), "0 below 0, 1 above it, x2 at 0."),
    "logaddexp": (of_floats(logaddexp), "log(exp(x1) + exp(x2))."),
    "logaddexp2": (of_floats(logaddexp2), "log2(2^x1 + 2^x2)."),
    "hypot": (of_floats(hypot), "sqrt(x1^2 + x2^2)."),
    "fmax": (_without_nan(ops.Maximum()), "The larger one, or the one that is no NaN."),
    "fmin": (_without_nan(ops.Minimum()), "The smaller one, or the one that is no NaN."),
    "gcd": (of_numbers(gcd), "The greatest common divisor."),
    "lcm": (of_numbers(lcm), "The least common multiple."),
    "ldexp": (_ldexp, "x1 * 2^x2."),
    "logical_xor": (lambda x, y: ops.NotEqual()(*_truth(x, y)), "Whether one of two is true."),
}
BITS: dict[str, tuple[Formula, str, str]] = {
    "bitwise_and": (bits(ops.BitwiseAnd(), ops.LogicalAnd()), "Bits of both.", "BitwiseAnd"),
    "bitwise_or": (bits(ops.BitwiseOr(), ops.LogicalOr()), "Bits of one.", "BitwiseOr"),
    "bitwise_xor": (bits(ops.BitwiseXor(), ops.NotEqual()), "Bits of only one.", "BitwiseXor"),
    "bitwise_left_shift": (bits(ops.ShiftLeft(), None), "x * 2^y.", "BitwiseLeftShift"),
    "left_shift": (bits(ops.ShiftLeft(), None), "x * 2^y.", "LeftShift"),
    "bitwise_right_shift": (bits(ops.ShiftRight(), None), "x / 2^y.", "BitwiseRightShift"),
    "right_shift": (bits(ops.ShiftRight(), None), "x / 2^y.", "RightShift"),
}
for _name, (_formula, _doc) in FUNCTIONS.items():
    define(_name, _formula, _doc)
for _name, (_formula, _doc, _class) in BITS.items():
    define(_name, _formula, _doc, _class, "x y")


def close(x1: Value, x2: Value, rtol: Operand, atol: Operand, equal_nan: bool) -> Value:
    """|x1 - x2| <= atol + rtol * |x2|; equal infinities are close."""
    near = ops.LessEqual()(*broadcastable(promoted(abs(x1 - x2), abs(x2) * rtol + atol)))
    both = ops.LogicalAnd()(is_finite(x1), is_finite(x2))
    found = ops.LogicalOr()(ops.LogicalAnd()(near, both), ops.Equal()(x1, x2))
    if equal_nan:
        found = ops.LogicalOr()(found, ops.LogicalAnd()(is_nan(x1), is_nan(x2)))
    return found


@operation()
def isclose(
    x1: Operand, x2: Operand, rtol: Operand = 1e-5, atol: Operand = 1e-8, equal_nan: bool = False
) -> Value:
    """Whether elements are equal but for a small error."""
    one, other = together(x1, x2)
    return close(floating(one), floating(other), rtol, atol, equal_nan)


@operation(class_name="AllClose")
def allclose(
    x1: Operand, x2: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Value:
    """Whether all elements are equal but for a small error."""
    one, other = together(x1, x2)
    found = close(floating(one), floating(other), rtol, atol, equal_nan)
    wrong = ops.cast(ops.LogicalNot()(found), "i32")
    count = ops.reduce_sum(wrong, tuple(range(wrong.ndim)))
    return ops.Equal()(count, ops.constant(0, "i32"))


@on_arrays("the next number is found by its bits, which graphs do not look at")
def nextafter(x1: object, x2: object) -> object:
    """The next number of f32 after x1 towards x2."""
    return np.nextafter(np.asarray(x1, np.float32), np.asarray(x2, np.float32))
