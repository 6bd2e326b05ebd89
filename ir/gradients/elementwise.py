"""Gradients of elementwise ops: one row an op; an op without a row is taken by its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any

from kerac.ir import ops as o
from kerac.ir.gradients.registry import WITHOUT_GRADIENT, Applied, Cotangents, gradient_of
from kerac.ir.gradients.reverse import reverse
from kerac.ir.gradients.symbolic import VALUES, Term
from kerac.ir.graph import Value
from kerac.ir.ops.activation import SELU_ALPHA, SELU_SCALE
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.types import Shape


@dataclass(frozen=True)
class Here:
    """What a row may use beside the operands: cotangent `g`, result `y`, the op, and `m`."""

    op: Any
    g: Term
    y: Term
    m: Any = VALUES

    def where(self, condition: Any, x: Any = None) -> Any:
        """`x`, or the cotangent, where the condition holds, else 0."""
        return self.m.select(condition, self.g if x is None else x, 0.0)

    def between(self, x: Term, low: float, high: float, factor: float = 1.0) -> Any:
        """The cotangent times `factor` where low < x < high, else 0."""
        inside = Term(o.LogicalAnd()(self.m.less(low, x).value, self.m.less(x, high).value))
        return self.where(inside, self.g if factor == 1 else self.g * factor)


def _gelu(h: Here, x: Term) -> Any:
    if h.op.approximate:
        inner = h.m.tanh((x + x * x * x * 0.044715) * sqrt(2 / pi))
        slope = (x * x * (3 * 0.044715) + 1.0) * sqrt(2 / pi)
        return h.g * ((inner + 1.0) * 0.5 + x * 0.5 * (1.0 - inner * inner) * slope)
    density = h.m.exp(x * x * -0.5) * (1 / sqrt(2 * pi))
    return h.g * ((h.m.erf(x * sqrt(0.5)) + 1.0) * 0.5 + x * density)


def _silu(h: Here, x: Term) -> Any:
    gate = h.m.sigmoid(x)
    return h.g * (gate + h.y * (1.0 - gate))


def _mish(h: Here, x: Term) -> Any:
    inner = h.m.tanh(h.m.maximum(x, 0.0) + h.m.log1p(h.m.exp(-h.m.abs(x))))
    return h.g * (inner + x * h.m.sigmoid(x) * (1.0 - inner * inner))


def _leaky_relu(h: Here, x: Term) -> Any:
    # the result has the sign of x where the slope is positive, and x is not kept for it
    sign = h.y if h.op.negative_slope > 0 else x
    return h.m.select(h.m.less(sign, 0.0), h.g * h.op.negative_slope, h.g)


def _elu(h: Here, x: Term) -> Any:
    if h.op.alpha > 0:
        return h.m.select(h.m.less(h.y, 0.0), h.g * (h.y + h.op.alpha), h.g)
    return h.m.select(h.m.less(x, 0.0), h.g * h.m.exp(x) * h.op.alpha, h.g)


def _selu(h: Here, x: Term) -> Any:
    steep = SELU_ALPHA * SELU_SCALE
    return h.g * h.m.select(h.m.less(h.y, 0.0), h.y + steep, SELU_SCALE)


def _softsign(h: Here, x: Term) -> Any:
    rest = 1.0 - h.m.abs(h.y)
    return h.g * rest * rest


def _power(h: Here, x: Term, y: Term) -> tuple[Any, Any]:
    logarithm = h.m.log(h.m.select(h.m.less(0.0, x), x, 1.0))
    # 0 * x^(-1) would be NaN at x = 0
    exponent = h.m.select(Term(o.Equal()(y.value, o.constant(0, y.value.dtype))), 1.0, y)
    return h.g * y * h.m.power(x, exponent - 1.0), h.g * h.y * logarithm


def _absolute(h: Here, x: Term) -> Any:
    return h.m.select(h.m.less(x, 0.0), -h.g, h.where(h.m.less(0.0, x)))


Row = Callable[..., Any]
ROWS: dict[type[Elementwise], Row] = {
    o.Negative: lambda h, x: -h.g,
    o.Absolute: _absolute,
    o.Exp: lambda h, x: h.g * h.y,
    o.Expm1: lambda h, x: h.g * (h.y + 1.0),
    o.Log: lambda h, x: h.g / x,
    o.Log1p: lambda h, x: h.g / (x + 1.0),
    o.Sqrt: lambda h, x: h.g * 0.5 / h.y,
    o.Rsqrt: lambda h, x: h.g * -0.5 * h.y * h.y * h.y,
    o.Reciprocal: lambda h, x: -(h.g * h.y * h.y),
    o.Square: lambda h, x: h.g * (x + x),
    o.Erf: lambda h, x: h.g * h.m.exp(-(x * x)) * (2 / sqrt(pi)),
    o.Sin: lambda h, x: h.g * h.m.cos(x),
    o.Arctangent: lambda h, x: h.g / (x * x + 1.0),
    o.Cos: lambda h, x: -(h.g * h.m.sin(x)),
    o.Tanh: lambda h, x: h.g * (1.0 - h.y * h.y),
    o.Sigmoid: lambda h, x: h.g * (h.y * (1.0 - h.y)),
    o.Relu: lambda h, x: h.where(h.m.less(0.0, h.y)),
    o.Relu6: lambda h, x: h.between(h.y, 0.0, 6.0),
    o.LeakyRelu: _leaky_relu,
    o.Elu: _elu,
    o.Selu: _selu,
    o.Silu: _silu,
    o.Gelu: _gelu,
    o.Softplus: lambda h, x: h.g * h.m.sigmoid(x),
    o.LogSigmoid: lambda h, x: h.g * h.m.sigmoid(-x),
    o.Softsign: _softsign,
    o.TanhShrink: lambda h, x: h.g * (x - h.y) * (x - h.y),
    o.HardSigmoid: lambda h, x: h.between(h.y, 0.0, 1.0, 1 / 6),
    o.HardTanh: lambda h, x: h.between(h.y, -1.0, 1.0),
    o.SparseSigmoid: lambda h, x: h.between(h.y, 0.0, 1.0, 0.5),
    o.Mish: _mish,
    o.Add: lambda h, x, y: (h.g, h.g),
    o.Subtract: lambda h, x, y: (h.g, -h.g),
    o.Multiply: lambda h, x, y: (h.g * y, h.g * x),
    o.Divide: lambda h, x, y: (h.g / y, -(h.g * h.y / y)),
    o.Maximum: lambda h, x, y: (
        h.m.select(h.m.less(x, y), 0.0, h.g),
        h.where(h.m.less(x, y)),
    ),
    o.Minimum: lambda h, x, y: (
        h.m.select(h.m.less(y, x), 0.0, h.g),
        h.where(h.m.less(y, x)),
    ),
    o.Power: _power,
    o.Select: lambda h, condition, x, y: (
        None,
        h.where(condition),
        h.m.select(condition, 0.0, h.g),
    ),
}

for _op in (o.Floor, o.Round):
    WITHOUT_GRADIENT[_op] = "is constant between its steps"
for _base in (o.Comparison, o.Logical, o.Bitwise):
    WITHOUT_GRADIENT |= dict.fromkeys(_base.__subclasses__(), "its result is no number")
WITHOUT_GRADIENT[o.LogicalNot] = "its result is no number"


@gradient_of(Elementwise)
def elementwise(at: Applied) -> Cotangents:
    """By its row, or by the gradients of the functions in its formula."""
    if type(at.op) in WITHOUT_GRADIENT:
        return ()
    row = ROWS.get(type(at.op))
    if row is None:
        return _by_formula(at)
    operands = [Term(value) for value in at.inputs if value is not None]
    parts = row(Here(at.op, Term(at.cotangent), Term(at.result)), *operands)
    parts = parts if isinstance(parts, tuple) else (parts,)
    return tuple(
        None if part is None else unbroadcast(part.value, value.shape)
        for part, value in zip(parts, (term.value for term in operands), strict=True)
    )


def _by_formula(at: Applied) -> Cotangents:
    # identities stand for the operands, so that the walk ends at them
    operands = [o.StopGradient()(value) for value in at.inputs if value is not None]
    result = at.op.formula(VALUES, *map(Term, operands)).value
    parts = reverse([result], [at.cotangent], operands)
    return tuple(
        None if part is None else unbroadcast(part, value.shape)
        for part, value in zip(parts, operands, strict=True)
    )


@gradient_of(o.Cast)
def cast(at: Applied) -> Cotangents:
    """The same in the operand's dtype, where that has gradients."""
    (x,) = at.inputs
    if x is None or not x.tensor_type.is_float:
        return ()
    return (o.cast(at.cotangent, x.dtype),)


def unbroadcast(cotangent: Value, shape: Shape) -> Value:
    """The cotangent of an operand of `shape` from that of what it was broadcast to: sums."""
    whole = cotangent.shape
    if whole == shape:
        return cotangent
    own = (1,) * (len(whole) - len(shape)) + tuple(shape)
    axes = tuple(axis for axis, dim in enumerate(whole) if own[axis] != dim)
    if not axes:
        return o.reshape(cotangent, shape)
    summed = o.reduce_sum(cotangent, axes)
    return o.reshape(summed, shape)
