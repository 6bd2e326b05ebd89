"""Formulas as IR: an implementation of `Mathematics` whose numbers are values of a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kerac.ir import ops as o
from kerac.ir.graph import Value
from kerac.ir.op import Op


@dataclass(frozen=True)
class Term:
    """A value that knows + - * / and unary minus, as formulas need it."""

    value: Value

    def __add__(self, other: Any) -> Term:
        return apply(o.Add(), self, other)

    def __radd__(self, other: Any) -> Term:
        return apply(o.Add(), self, other)

    def __sub__(self, other: Any) -> Term:
        return apply(o.Subtract(), self, other)

    def __rsub__(self, other: Any) -> Term:
        return apply(o.Subtract(), other, self)

    def __mul__(self, other: Any) -> Term:
        return apply(o.Multiply(), self, other)

    def __rmul__(self, other: Any) -> Term:
        return apply(o.Multiply(), self, other)

    def __truediv__(self, other: Any) -> Term:
        return apply(o.Divide(), self, other)

    def __rtruediv__(self, other: Any) -> Term:
        return apply(o.Divide(), other, self)

    def __neg__(self) -> Term:
        return apply(o.Negative(), self)


def apply(op: Op, *operands: Any) -> Term:
    """`op` on terms and numbers; a number takes the dtype of the terms beside it, but bool."""
    terms = [operand.value for operand in operands if isinstance(operand, Term)]
    dtype = next((value.dtype for value in terms if value.dtype != "bool"), "f32")
    return Term(
        op(
            *(
                operand.value if isinstance(operand, Term) else o.constant(operand, dtype)
                for operand in operands
            )
        )
    )


def _function(op: Op) -> Callable[..., Any]:
    return lambda *operands: apply(op, *operands)


BITS: dict[str, Op] = {
    "and": o.BitwiseAnd(),
    "or": o.BitwiseOr(),
    "xor": o.BitwiseXor(),
    "shift_left": o.ShiftLeft(),
    "shift_right": o.ShiftRight(),
}


class ValueMathematics:
    """Each function of `Mathematics` by the op that means it."""

    exp = staticmethod(_function(o.Exp()))
    expm1 = staticmethod(_function(o.Expm1()))
    log = staticmethod(_function(o.Log()))
    log1p = staticmethod(_function(o.Log1p()))
    sqrt = staticmethod(_function(o.Sqrt()))
    tanh = staticmethod(_function(o.Tanh()))
    sigmoid = staticmethod(_function(o.Sigmoid()))
    silu = staticmethod(_function(o.Silu()))
    erf = staticmethod(_function(o.Erf()))
    gelu = staticmethod(_function(o.Gelu()))
    sin = staticmethod(_function(o.Sin()))
    cos = staticmethod(_function(o.Cos()))
    abs = staticmethod(_function(o.Absolute()))
    floor = staticmethod(_function(o.Floor()))
    round = staticmethod(_function(o.Round()))
    maximum = staticmethod(_function(o.Maximum()))
    minimum = staticmethod(_function(o.Minimum()))
    power = staticmethod(_function(o.Power()))
    less = staticmethod(_function(o.Less()))
    select = staticmethod(_function(o.Select()))

    @staticmethod
    def bits(operation: str, x: Any, y: Any) -> Any:
        return apply(BITS[operation], x, y)


VALUES = ValueMathematics()
