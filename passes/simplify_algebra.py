"""Arithmetic with constants becomes shorter.

Laws: NaN and infinities stay what they are and where they are; the sign of a zero may change;
constants are combined only where the result is a normal number; what is computed differs by float32
rounding at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, update_wrapper
from math import inf

import numpy as np

from kerac.ir import Op, Value
from kerac.ir import ops as o
from kerac.passes.affine import loses_few_digits
from kerac.passes.base import Pass
from kerac.passes.patterns import (
    Array,
    WithConstant,
    constant_like,
    grows,
    is_constant,
    is_number,
    lower_bound,
    with_constant,
)
from kerac.passes.rewrite import Rule, Uses

COMMUTATIVE = (o.Add, o.Multiply, o.Maximum, o.Minimum)
NEUTRAL = ((o.Add, 0.0), (o.Subtract, 0.0), (o.Multiply, 1.0), (o.Divide, 1.0), (o.Power, 1.0),
           (o.Maximum, -inf), (o.Minimum, inf))  # fmt: skip
COMBINED: dict[type[Op], np.ufunc] = {
    o.Add: np.add,
    o.Multiply: np.multiply,
    o.Maximum: np.maximum,
    o.Minimum: np.minimum,
}


def constant_last(value: Value, uses: Uses) -> Value | None:
    """Constants come second where operands may be exchanged: other rules look there only.

    def before(x: f32[N, 4]):
        y = add(1.0, x)
        return y
    def after(x: f32[N, 4]):
        y = add(x, 1.0)
        return y
    """
    match value:
        case Value(
            o.Add() | o.Multiply() | o.Maximum() | o.Minimum(), (Value() as x, Value() as y)
        ):
            if is_constant(x) and not is_constant(y):
                return value.op(y, x)
    return None


def subtract_constant(value: Value, uses: Uses) -> Value | None:
    """To subtract a constant is to add another one.

    def before(x: f32[N, 4]):
        y = subtract(x, 2.0)
        return y
    def after(x: f32[N, 4]):
        y = add(x, -2.0)
        return y
    """
    found = with_constant(value, o.Subtract)
    if found and value.tensor_type.is_float and not grows(found.constant.tensor_type, found.array):
        return o.Add()(found.x, constant_like(-found.array, value, found.constant.name))
    return None


def divide_by_constant(value: Value, uses: Uses, exact: bool = False) -> Value | None:
    """To divide by a constant is to multiply by its reciprocal, where that is a normal number.

    Exact for powers of two; else the result may differ in the last bit.

    def before(x: f32[N, 4]):
        y = divide(x, 4.0)
        return y
    def after(x: f32[N, 4]):
        y = multiply(x, 0.25)
        return y
    """
    found = with_constant(value, o.Divide)
    if not found:
        return None
    with np.errstate(all="ignore"):
        reciprocal = constant_like(1 / found.array.astype(np.float64), value, found.constant.name)
    array = reciprocal.op.evaluate()
    if not _all_normal(array) or (
        exact and np.any(np.frexp(found.array)[0] != np.copysign(0.5, found.array))
    ):
        return None
    return o.Multiply()(found.x, reciprocal)


def neutral_constant(value: Value, uses: Uses) -> Value | None:
    """Sums with 0, products with 1 and the like are their operand.

    def before(x: f32[N, 4]):
        y = add(multiply(x, 1.0), 0.0)
        z = relu(y)
        return z
    def after(x: f32[N, 4]):
        z = relu(x)
        return z
    """
    for kind, number in NEUTRAL:
        found = with_constant(value, kind)
        if found and found.x.type == value.type and is_number(found.constant, number):
            return found.x
    return None


def combine_constants(value: Value, uses: Uses) -> Value | None:
    """Two constants in a row are one.

    def before(x: f32[N, 4]):
        y = multiply(multiply(x, 2.0), 4.0)
        return y
    def after(x: f32[N, 4]):
        y = multiply(x, 8.0)
        return y
    """
    outer = with_constant(value, *COMMUTATIVE)
    inner = with_constant(outer.x, type(outer.op)) if outer else None
    if not outer or not inner:
        return None
    combined = _combined(type(outer.op), inner, outer, value)
    return None if combined is None else outer.op(inner.x, combined)


def distribute(value: Value, uses: Uses) -> Value | None:
    """`(x * a + b) * c` is `x * (a * c) + b * c`: products meet, and may join weights before.

    def before(x: f32[N, 4]):
        y = multiply(add(multiply(x, 0.5), 1.0), 4.0)
        return y
    def after(x: f32[N, 4]):
        y = multiply(x, 2.0)
        y_1 = add(y, 4.0)
        return {"y": y_1}
    """
    outer = with_constant(value, o.Multiply)
    inner = with_constant(outer.x, o.Add) if outer else None
    if not outer or not inner or uses[outer.x] != 1 or not value.tensor_type.is_float:
        return None
    product = with_constant(inner.x, o.Multiply)
    if not product or uses[inner.x] != 1 or product.x.type != value.type:
        return None
    scale = _combined(o.Multiply, product, outer, value)
    shift = _combined(o.Multiply, inner, outer, value)
    if scale is None or shift is None or not loses_few_digits(shift.op.evaluate()):
        return None
    scaled = o.Multiply()(product.x, scale, name=inner.x.name)
    return o.Add()(scaled, shift)


def _combined(
    kind: type[Op], first: WithConstant, second: WithConstant, value: Value
) -> Value | None:
    """A constant for both, unless it overflows, or needs much more memory than they."""
    is_float = value.tensor_type.is_float
    arrays = (first.array, second.array)
    wide = [array.astype(np.float64) if is_float else array for array in arrays]
    result = constant_like(COMBINED[kind](*wide), value, second.constant.name)
    if grows(result.tensor_type, *arrays):
        return None
    if kind in (o.Add, o.Multiply) and is_float:
        numbers = (*arrays, result.op.evaluate())
        checked = _all_normal if kind is o.Multiply else _all_finite
        if not all(map(checked, numbers)):
            return None
    return result


def _all_finite(array: Array) -> bool:
    return bool(np.isfinite(array.astype(np.float64)).all())


def _all_normal(array: Array) -> bool:
    """Neither zero nor tiny nor infinite: such factors may be combined and inverted."""
    tiny = 1e-30 if array.dtype.itemsize > 2 else 1e-4
    size = np.abs(array.astype(np.float64))
    return bool(((size > tiny) & (size < 1 / tiny)).all())


def negations(value: Value, uses: Uses) -> Value | None:
    """A negation vanishes into the op beside it.

    def before(x: f32[N, 4], y: f32[N, 4]):
        a = negative(negative(x))
        b = absolute(negative(x))
        c = add(x, negative(y))
        d = subtract(x, negative(y))
        e = multiply(negative(x), 3.0)
        return {"a": a, "b": b, "c": c, "d": d, "e": e}
    def after(x: f32[N, 4], y: f32[N, 4]):
        b = absolute(x)
        c = subtract(x, y)
        d = add(x, y)
        e = multiply(x, -3.0)
        return {"a": x, "b": b, "c": c, "d": d, "e": e}
    """
    match value:
        case Value(o.Negative(), (Value(o.Negative(), (x,)),)):
            return x
        case Value(
            (o.Absolute() | o.Square()) as even, (Value(o.Negative() | o.Absolute(), (x,)),)
        ):
            return even(x)
        case Value(o.Add(), (Value() as x, Value(o.Negative(), (y,)))):
            return o.Subtract()(x, y)
        case Value(o.Add(), (Value(o.Negative(), (y,)), Value() as x)):
            return o.Subtract()(x, y)
        case Value(o.Subtract(), (Value() as x, Value(o.Negative(), (y,)))):
            return o.Add()(x, y)
        case Value(o.Multiply(), (Value(o.Negative(), (x,)), Value() as factor)):
            found = with_constant(value, o.Multiply)
            if found:
                return o.Multiply()(x, constant_like(-found.array, value, factor.name))
    return None


def bounded_already(value: Value, uses: Uses) -> Value | None:
    """What is never negative needs no ReLU and no absolute value, and a ReLU6 no ReLU before it.

    def before(x: f32[N, 4]):
        gate = sigmoid(x)
        y = relu(gate)
        z = relu6(relu(x))
        return y, z
    def after(x: f32[N, 4]):
        gate = sigmoid(x)
        z = relu6(x)
        return {"y": gate, "z": z}
    """
    match value:
        case Value(o.Relu() | o.Absolute(), (Value() as x,)) if lower_bound(x) >= 0:
            return x
        case Value(o.Relu6(), (Value(o.Relu() | o.Relu6(), (x,)),)):
            return o.Relu6()(x)
    return None


def powers(value: Value, uses: Uses) -> Value | None:
    """Powers and roots by the ops that are cheaper.

    def before(x: f32[N, 4]):
        y = power(x, 2.0)
        z = reciprocal(sqrt(x))
        w = divide(1.0, x)
        return y, z, w
    def after(x: f32[N, 4]):
        y = square(x)
        z = rsqrt(x)
        w = reciprocal(x)
        return y, z, w
    """
    found = with_constant(value, o.Power)
    if found and found.x.type == value.type and is_number(found.constant, 2):
        return o.Square()(found.x)
    match value:
        case Value(o.Reciprocal(), (Value(o.Sqrt(), (x,)),)):
            return o.Rsqrt()(x)
        case Value(o.Divide(), (Value() as one, Value() as x)) if x.type == value.type:
            return o.Reciprocal()(x) if is_number(one, 1) else None
    return None


def without_effect(value: Value, uses: Uses) -> Value | None:
    """A choice between equals is no choice, and a double negation none either.

    def before(x: f32[N, 4], flag: bool[N, 4]):
        y = select(logical_not(logical_not(flag)), x, negative(x))
        z = select(flag, y, y)
        w = cast(z, dtype="f32")
        return {"w": w}
    def after(x: f32[N, 4], flag: bool[N, 4]):
        y = select(flag, x, negative(x))
        return {"w": y}
    """
    match value:
        case Value(o.Select(), (_, Value() as x, y)) if x is y and x.type == value.type:
            return x
        case Value(o.LogicalNot(), (Value(o.LogicalNot(), (x,)),)):
            return x
        case Value(o.Cast(), (Value() as x,)) if x.type == value.type:
            return x
    return None


@dataclass(frozen=True)
class SimplifyAlgebra(Pass):
    """Shorten arithmetic; `exact` leaves divisions that a product would round differently."""

    rules = (
        constant_last, subtract_constant, divide_by_constant, neutral_constant, combine_constants,
        distribute, negations, bounded_already, powers, without_effect,
    )  # fmt: skip
    exact: bool = False

    def chosen_rules(self) -> tuple[Rule, ...]:
        """The rules, divisions as `exact` says."""
        division = update_wrapper(partial(divide_by_constant, exact=self.exact), divide_by_constant)
        return tuple(division if rule is divide_by_constant else rule for rule in self.rules)
