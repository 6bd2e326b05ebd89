"""Rows for the ops that compute each element for itself; see `tests/samples.py`."""

from __future__ import annotations

from math import inf, nan

from kerac.ir.ops import (
    Absolute,
    Add,
    Arctangent,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    Cast,
    Celu,
    Cos,
    Divide,
    Elu,
    Equal,
    Erf,
    Exp,
    Expm1,
    Floor,
    Gelu,
    Greater,
    GreaterEqual,
    HardShrink,
    HardSigmoid,
    HardSilu,
    HardTanh,
    LeakyRelu,
    Less,
    LessEqual,
    Log,
    Log1p,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    LogSigmoid,
    Maximum,
    Minimum,
    Mish,
    Multiply,
    Negative,
    NotEqual,
    Power,
    Reciprocal,
    Relu,
    Relu6,
    Round,
    Rsqrt,
    Select,
    Selu,
    ShiftLeft,
    ShiftRight,
    Sigmoid,
    Silu,
    Sin,
    Softplus,
    SoftShrink,
    Softsign,
    SparsePlus,
    SparseSigmoid,
    Sqrt,
    Square,
    Squareplus,
    Subtract,
    Tanh,
    TanhShrink,
    Threshold,
)
from tests.sample import Sample, tensor

ONE_AXIS, TWO_AXES = "f32[N, 37]", "f32[5, 9]"

# op: the numbers it is tried on, from low to high, and special ones
UNARY: tuple[tuple[object, float, float, tuple[float, ...]], ...] = (
    (Negative(), -9, 9, (0.0, -0.0)),
    (Absolute(), -9, 9, (0.0, -0.0)),
    (Exp(), -9, 9, (0.0, 87.0, -87.0)),
    (Expm1(), -9, 9, (0.0, 1e-6, -1e-6)),
    (Log(), 0.01, 9, (1.0,)),
    (Log1p(), -0.9, 9, (0.0, 1e-6)),
    (Sqrt(), 0.0, 9, (0.0, 1.0)),
    (Rsqrt(), 0.1, 9, (1.0,)),
    (Reciprocal(), 0.5, 9, (-1.0,)),
    (Square(), -9, 9, (0.0,)),
    (Erf(), -4, 4, (0.0, 1e-6, -9.0)),
    (Sin(), -9, 9, (0.0, 1e-6)),
    (Cos(), -9, 9, (0.0,)),
    (Arctangent(), -9, 9, (0.0, -0.4, 0.4, inf, -inf, 1e9)),
    (Floor(), -9, 9, (0.0, -1.0, 2.0, -0.5)),
    (Round(), -9, 9, (0.5, 1.5, 2.5, -0.5)),
    (Tanh(), -9, 9, (0.0, 1e-6, 100.0, -100.0)),
    (Sigmoid(), -9, 9, (0.0, 100.0, -80.0)),
    (Relu(), -9, 9, (0.0, inf, -inf)),
    (Relu6(), -9, 9, (0.0, 6.0)),
    (LeakyRelu(), -9, 9, (0.0,)),
    (LeakyRelu(0.01), -9, 9, ()),
    (Threshold(), -9, 9, (0.0,)),
    (Threshold(1.5, -3.0), -9, 9, (1.5,)),
    (Elu(), -9, 9, (0.0, -100.0)),
    (Elu(0.3), -9, 9, ()),
    (Selu(), -9, 9, (0.0,)),
    (Celu(), -9, 9, (0.0,)),
    (Celu(0.7), -9, 9, ()),
    (Silu(), -9, 9, (0.0, -80.0)),
    (Gelu(), -6, 6, (0.0,)),
    (Gelu(approximate=True), -6, 6, (0.0,)),
    (Softplus(), -9, 9, (0.0, 100.0, -100.0)),
    (LogSigmoid(), -9, 9, (0.0, 100.0, -100.0)),
    (Softsign(), -9, 9, (0.0,)),
    (Squareplus(), -9, 9, (0.0,)),
    (Squareplus(1.0), -9, 9, ()),
    (SoftShrink(), -3, 3, (0.5, -0.5)),
    (SoftShrink(1.0), -3, 3, ()),
    (HardShrink(), -3, 3, (0.5, -0.5)),
    (HardShrink(1.0), -3, 3, ()),
    (TanhShrink(), -3, 3, (0.0,)),
    (HardSigmoid(), -6, 6, (3.0, -3.0)),
    (HardSilu(), -6, 6, (3.0, -3.0)),
    (HardTanh(), -3, 3, (1.0, -1.0)),
    (SparseSigmoid(), -3, 3, (1.0, -1.0)),
    (SparsePlus(), -3, 3, (1.0, -1.0)),
    (Mish(), -9, 9, (0.0,)),
)

# shapes that broadcast against each other in different ways
BROADCAST = (
    ("f32[N, 37]", "f32[N, 37]"),
    ("f32[N, 7, 6, 8]", "f32[8]"),
    ("f32[N, 7, 1, 8]", "f32[N, 1, 6, 1]"),
    ("f32[5]", "f32"),
    ("f32", "f32[N, 4]"),
)


def unary() -> list[Sample]:
    rows = [Sample(op, (tensor(ONE_AXIS, low, high, special),)) for op, low, high, special in UNARY]
    rows += [
        Sample(op, (tensor(TWO_AXES, -100, 100),)) for op in (Relu(), Tanh(), Sigmoid(), Softplus())
    ]
    rows += [Sample(op, (tensor("i32[N, 9]", -9, 9),)) for op in (Negative(), Absolute(), Square())]
    return [
        *rows,
        Sample(Relu(), (tensor("f32", -9, 9),)),
        Sample(LogicalNot(), (tensor("bool[N, 5]"),)),
    ]


def binary() -> list[Sample]:
    rows = []
    for op in (Add(), Subtract(), Multiply(), Divide(), Maximum(), Minimum(), Power()):
        low = 0.5 if isinstance(op, Divide | Power) else -9.0
        rows += [Sample(op, (tensor(x, low, 9), tensor(y, low, 3))) for x, y in BROADCAST]
        if not isinstance(op, Divide | Power):
            rows.append(Sample(op, (tensor("i32[N, 7]", -9, 9), tensor("i32[7]", -9, 9))))
    extremes = tensor("f32[8]", special=(nan, 1.0, inf, -inf, 0.0, nan, inf, 2.0))
    others = tensor("f32[8]", special=(1.0, nan, 1.0, 1.0, 0.0, nan, inf, -inf))
    rows += [Sample(op, (extremes, others)) for op in (Maximum(), Minimum(), Add())]
    for op in (Equal(), NotEqual(), Less(), LessEqual(), Greater(), GreaterEqual()):
        rows.append(
            Sample(
                op, (tensor("f32[N, 7]", special=(0.0, 1.0)), tensor("f32[7]", special=(0.0, 1.0)))
            )
        )
        rows.append(Sample(op, (tensor("i32[N, 7]", -2, 2), tensor("i32", 0, 1))))
    rows += [
        Sample(op, (tensor("bool[N, 7]"), tensor("bool[7]"))) for op in (LogicalAnd(), LogicalOr())
    ]
    for op in (BitwiseAnd(), BitwiseOr(), BitwiseXor()):
        rows.append(Sample(op, (tensor("i32[N, 7]", -99, 99), tensor("i32[7]", -99, 99))))
        rows.append(Sample(op, (tensor("u8[N, 7]", 0, 99), tensor("u8", 0, 99))))
    for op in (ShiftLeft(), ShiftRight()):
        rows.append(Sample(op, (tensor("i32[N, 7]", -99, 99), tensor("i32[7]", 0, 9))))
    rows.append(Sample(Select(), (tensor("bool[N, 7]"), tensor("f32[N, 7]"), tensor("f32[7]"))))
    rows.append(Sample(Select(), (tensor("bool[7, 1]"), tensor("f32"), tensor("f32[N, 1, 5]"))))
    conversions = (
        ("i32", "f32"),
        ("f32", "i32"),
        ("bool", "f32"),
        ("i64", "i32"),
        ("u8", "f32"),
        ("f32", "bool"),
    )
    rows += [Sample(Cast(to), (tensor(f"{source}[N, 9]", 0, 9),)) for source, to in conversions]
    return rows
