"""Activation functions that are spelled out in simpler ops become one op."""

from __future__ import annotations

from dataclasses import dataclass

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.passes.base import Pass
from kerac.passes.patterns import either_order, is_number, number_of, with_constant
from kerac.passes.rewrite import Uses

SIXTH = 1e-6  # relative tolerance for 1/6, which nobody writes exactly


def silu(value: Value, uses: Uses) -> Value | None:
    """A value times its sigmoid.

    def before(x: f32[N, 4]):
        y = multiply(x, sigmoid(x))
        return y
    def after(x: f32[N, 4]):
        y = silu(x)
        return y
    """
    return _times_function_of_itself(value, uses, o.Sigmoid, o.Silu())


def hard_silu(value: Value, uses: Uses) -> Value | None:
    """A value times its hard sigmoid, as in MobileNetV3.

    def before(x: f32[N, 4]):
        y = multiply(hard_sigmoid(x), x)
        return y
    def after(x: f32[N, 4]):
        y = hard_silu(x)
        return y
    """
    return _times_function_of_itself(value, uses, o.HardSigmoid, o.HardSilu())


def mish(value: Value, uses: Uses) -> Value | None:
    """A value times the tanh of its softplus.

    def before(x: f32[N, 4]):
        y = multiply(x, tanh(softplus(x)))
        return y
    def after(x: f32[N, 4]):
        y = mish(x)
        return y
    """
    match value:
        case Value(
            o.Multiply(), (Value() as x, Value(o.Tanh(), (Value(o.Softplus(), (z,)),)))
        ) | Value(o.Multiply(), (Value(o.Tanh(), (Value(o.Softplus(), (z,)),)), Value() as x)) if (
            x is z
        ):
            return o.Mish()(x)
    return None


def _times_function_of_itself(
    value: Value, uses: Uses, function: type[o.Unary], product: o.Unary
) -> Value | None:
    if isinstance(value.op, o.Multiply):
        for x, y in either_order(value):
            if isinstance(y.op, function) and y.inputs == (x,) and uses[y] == 1:
                return product(x)
    return None


def square(value: Value, uses: Uses) -> Value | None:
    """A value times itself.

    def before(x: f32[N, 4]):
        y = multiply(x, x)
        return y
    def after(x: f32[N, 4]):
        y = square(x)
        return y
    """
    match value:
        case Value(o.Multiply(), (Value() as x, z)) if x is z:
            return o.Square()(x)
    return None


def relu(value: Value, uses: Uses) -> Value | None:
    """The larger of a value and 0.

    def before(x: f32[N, 4]):
        y = maximum(x, 0.0)
        return y
    def after(x: f32[N, 4]):
        y = relu(x)
        return y
    """
    if isinstance(value.op, o.Maximum) and value.tensor_type.is_float:
        for x, limit in either_order(value):
            if x.type == value.type and is_number(limit, 0):
                return o.Relu()(x)
    return None


def relu6(value: Value, uses: Uses) -> Value | None:
    """ReLU with an upper limit of 6, whichever limit comes first.

    def before(x: f32[N, 4]):
        y = minimum(relu(x), 6.0)
        return y
    def after(x: f32[N, 4]):
        y = relu6(x)
        return y
    """
    match value:
        case Value(o.Minimum()):
            limited = with_constant(value, o.Minimum)
            if limited and isinstance(limited.x.op, o.Relu) and limited.x.type == value.type:
                return o.Relu6()(*limited.x.inputs) if is_number(limited.constant, 6) else None
        case Value(o.Relu(), (Value(o.Minimum()) as inner,)):
            limited = with_constant(inner, o.Minimum)
            if limited and limited.x.type == value.type and is_number(limited.constant, 6):
                return o.Relu6()(limited.x)
    return None


def hard_tanh(value: Value, uses: Uses) -> Value | None:
    """A value clipped to -1 ... 1.

    def before(x: f32[N, 4]):
        y = minimum(maximum(x, -1.0), 1.0)
        return y
    def after(x: f32[N, 4]):
        y = hard_tanh(x)
        return y
    """
    for outer, inner, first, second in (
        (o.Minimum, o.Maximum, 1, -1),
        (o.Maximum, o.Minimum, -1, 1),
    ):
        limited = with_constant(value, outer)
        below = with_constant(limited.x, inner) if limited else None
        fits = below is not None and below.x.type == value.type and value.tensor_type.is_float
        if limited and below and fits and is_number(limited.constant, first):
            return o.HardTanh()(below.x) if is_number(below.constant, second) else None
    return None


def hard_sigmoid(value: Value, uses: Uses) -> Value | None:
    """`relu6(x + 3) / 6`, as in MobileNetV3.

    def before(x: f32[N, 4]):
        y = multiply(relu6(add(x, 3.0)), 0.16666667)
        return y
    def after(x: f32[N, 4]):
        y = hard_sigmoid(x)
        return y
    """
    for kind, factor in ((o.Multiply, 1 / 6), (o.Divide, 6)):
        scaled = with_constant(value, kind)
        if (
            scaled
            and isinstance(scaled.x.op, o.Relu6)
            and is_number(scaled.constant, factor, SIXTH)
        ):
            moved = with_constant(scaled.x.inputs[0], o.Add)
            if moved and moved.x.type == value.type and is_number(moved.constant, 3):
                return o.HardSigmoid()(moved.x)
    return None


def clipped_line(value: Value, uses: Uses) -> Value | None:
    """A straight line clipped to 0 ... 1, where its slope is that of a known function.

    def before(x: f32[N, 4]):
        y = minimum(relu(add(multiply(x, 0.5), 0.5)), 1.0)
        return y
    def after(x: f32[N, 4]):
        y = sparse_sigmoid(x)
        return y
    """
    limited = with_constant(value, o.Minimum)
    if limited and isinstance(limited.x.op, o.Relu) and is_number(limited.constant, 1):
        moved = with_constant(limited.x.inputs[0], o.Add)
        scaled = (
            with_constant(moved.x, o.Multiply) if moved and is_number(moved.constant, 0.5) else None
        )
        if scaled and scaled.x.type == value.type:
            for slope, function in ((0.5, o.SparseSigmoid()), (1 / 6, o.HardSigmoid())):
                if is_number(scaled.constant, slope, SIXTH):
                    return function(scaled.x)
    return None


def leaky_relu(value: Value, uses: Uses) -> Value | None:
    """The larger of a value and a small part of it.

    def before(x: f32[N, 4]):
        y = maximum(x, multiply(x, 0.25))
        return y
    def after(x: f32[N, 4]):
        y = leaky_relu(x, negative_slope=0.25)
        return y
    """
    if isinstance(value.op, o.Maximum) and value.tensor_type.is_float:
        for x, part in either_order(value):
            scaled = with_constant(part, o.Multiply)
            slope = number_of(scaled.constant) if scaled and scaled.x is x else None
            # with slope 0 an infinity would become NaN
            if slope is not None and 0 < slope < 1 and x.type == value.type:
                return o.LeakyRelu(slope)(x)
    return None


def softsign(value: Value, uses: Uses) -> Value | None:
    """`x / (1 + |x|)`.

    def before(x: f32[N, 4]):
        y = divide(x, add(absolute(x), 1.0))
        return y
    def after(x: f32[N, 4]):
        y = softsign(x)
        return y
    """
    match value:
        case Value(o.Divide(), (Value() as x, Value(o.Add()) as total)):
            moved = with_constant(total, o.Add)
            of_itself = moved is not None and isinstance(moved.x.op, o.Absolute)
            if moved and of_itself and moved.x.inputs == (x,) and x.type == value.type:
                return o.Softsign()(x) if is_number(moved.constant, 1) else None
    return None


def tanh_shrink(value: Value, uses: Uses) -> Value | None:
    """A value without its tanh.

    def before(x: f32[N, 4]):
        y = subtract(x, tanh(x))
        return y
    def after(x: f32[N, 4]):
        y = tanh_shrink(x)
        return y
    """
    match value:
        case Value(o.Subtract(), (Value() as x, Value(o.Tanh(), (z,)))) if x is z:
            return o.TanhShrink()(x)
    return None


@dataclass(frozen=True)
class RecognizeActivations(Pass):
    """Find activation functions that are spelled out."""

    rules = (
        silu, hard_silu, mish, square, relu, relu6, hard_tanh, hard_sigmoid, clipped_line,
        leaky_relu, softsign, tanh_shrink,
    )  # fmt: skip
