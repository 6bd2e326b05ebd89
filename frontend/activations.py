"""Keras's activation functions by name, on values of a graph, arrays and symbolic tensors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from kerac.configured import suggestion
from kerac.convert import Conversion
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from kerac.ir.ops.elementwise import Unary
from kerac.registration import given_function, written_function
from kerac.saving.config import SerializedFunction, SerializedObject

Function = Callable[..., Any]
FUNCTIONS: dict[str, Function] = {}
# Those without arguments, or with their defaults, as the one op they are.
OPS: dict[str, Unary | None] = {}


def named(function: Callable[..., Value]) -> Function:
    """Register an activation; called on anything but a value of a graph it acts as a layer does."""

    @wraps(function)
    def called(x: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(x, Value):
            return function(x, *args, **kwargs)
        from kerac.layers.activation import FunctionLayer

        return FunctionLayer(called, args, kwargs)(x)

    FUNCTIONS[function.__name__] = called
    return called


def elementwise(name: str, op: Unary) -> Function:
    """Register the activation that is one op without arguments."""

    def function(x: Value) -> Value:
        return op(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = type(op).__doc__
    OPS[name] = op
    return named(function)


exponential = elementwise("exponential", ops.Exp())
hard_sigmoid = elementwise("hard_sigmoid", ops.HardSigmoid())
hard_silu = elementwise("hard_silu", ops.HardSilu())
hard_tanh = elementwise("hard_tanh", ops.HardTanh())
log_sigmoid = elementwise("log_sigmoid", ops.LogSigmoid())
mish = elementwise("mish", ops.Mish())
relu6 = elementwise("relu6", ops.Relu6())
selu = elementwise("selu", ops.Selu())
sigmoid = elementwise("sigmoid", ops.Sigmoid())
silu = elementwise("silu", ops.Silu())
softplus = elementwise("softplus", ops.Softplus())
softsign = elementwise("softsign", ops.Softsign())
sparse_plus = elementwise("sparse_plus", ops.SparsePlus())
sparse_sigmoid = elementwise("sparse_sigmoid", ops.SparseSigmoid())
tanh = elementwise("tanh", ops.Tanh())
tanh_shrink = elementwise("tanh_shrink", ops.TanhShrink())
swish = silu
hard_swish = hard_silu


@named
def linear(x: Value) -> Value:
    """x itself."""
    return x


@named
def relu(
    x: Value,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Value:
    """x above `threshold`, at most `max_value`; below it negative_slope * (x - threshold)."""
    if negative_slope and max_value is None and not threshold:
        return ops.LeakyRelu(float(negative_slope))(x)
    if threshold:
        positive = ops.Threshold(float(threshold), 0.0)(x)
    else:
        positive = ops.Relu6()(x) if max_value == 6 else ops.Relu()(x)
    if max_value is not None and (threshold or max_value != 6):
        positive = ops.minimum(ops.maximum(positive, 0.0), float(max_value))
    if not negative_slope:
        return positive
    below = ops.Relu()(ops.add(ops.Negative()(x), float(threshold)))
    return ops.subtract(positive, ops.multiply(below, float(negative_slope)))


@named
def leaky_relu(x: Value, negative_slope: float = 0.2) -> Value:
    """x where x >= 0, else negative_slope * x."""
    return ops.LeakyRelu(float(negative_slope))(x)


@named
def elu(x: Value, alpha: float = 1.0) -> Value:
    """x where x >= 0, else alpha * (exp(x) - 1)."""
    return ops.Elu(float(alpha))(x)


@named
def celu(x: Value, alpha: float = 1.0) -> Value:
    """max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)."""
    return ops.Celu(float(alpha))(x)


@named
def gelu(x: Value, approximate: bool = False) -> Value:
    """x * Phi(x), Phi the normal distribution's."""
    return ops.Gelu(bool(approximate))(x)


@named
def glu(x: Value, axis: int = -1) -> Value:
    """The first half along `axis` times the sigmoid of the second."""
    axis = axis_of(axis, x)
    length = x.shape[axis]
    if isinstance(length, int) and length % 2:
        raise ShapeError(f"glu: axis {axis} must have an even length, but is {length}")
    half = length // 2
    gate = ops.Sigmoid()(ops.slice_axis(x, axis, half, length))
    return ops.multiply(ops.slice_axis(x, axis, 0, half), gate)


@named
def hard_shrink(x: Value, threshold: float = 0.5) -> Value:
    """x where |x| > threshold, else 0."""
    return ops.HardShrink(float(threshold))(x)


@named
def soft_shrink(x: Value, threshold: float = 0.5) -> Value:
    """x moved by `threshold` towards 0."""
    return ops.SoftShrink(float(threshold))(x)


@named
def squareplus(x: Value, b: float = 4) -> Value:
    """(x + sqrt(x * x + b)) / 2."""
    return ops.Squareplus(float(b))(x)


@named
def threshold(x: Value, threshold: float, default_value: float) -> Value:
    """x where x > threshold, else default_value."""
    return ops.Threshold(float(threshold), float(default_value))(x)


@named
def softmax(x: Value, axis: int | tuple[int, ...] = -1) -> Value:
    """exp(x) / sum(exp(x)) along an axis, or over several axes together."""
    return _along(ops.Softmax, x, axis)


@named
def log_softmax(x: Value, axis: int | tuple[int, ...] = -1) -> Value:
    """log(softmax(x))."""
    return _along(ops.LogSoftmax, x, axis)


@named
def sparsemax(x: Value, axis: int = -1) -> Value:
    """max(x - threshold, 0) as Keras has it, not quite that of Martins and Astudillo (2016).

    Their threshold is (sum of the support - 1) / k for a support of the k largest elements. Keras
    takes the sum of all cumulative sums within the support, and networks were trained with that.
    """
    axis = axis_of(axis, x)
    kept = tuple(dim for place, dim in enumerate(x.shape) if place != axis)
    order = (*(place for place in range(x.ndim) if place != axis), axis)
    moved = ops.transpose(x, order)
    # [..., i, j]: element i against element j of the same line
    one = ops.reshape(moved, (*moved.shape, 1))
    other = ops.reshape(moved, (*kept, 1, x.shape[axis]))
    last = moved.ndim

    def total(values: Value) -> Value:
        return ops.reduce_sum(values, (last,))

    def number(condition: Value) -> Value:
        return ops.cast(condition, x.dtype)

    not_below = number(ops.GreaterEqual()(other, one))
    rank, cumulative = total(not_below), total(ops.multiply(not_below, other))
    # x - (cumulative - 1) / rank > 0
    limit = ops.divide(ops.subtract(cumulative, 1.0), rank)
    support = number(ops.Greater()(moved, limit))
    count = ops.reduce_sum(support, (last - 1,), keepdims=True)
    # an element is in the cumulative sums of all that follow it in the support; equal ones share
    below = ops.add(
        number(ops.Less()(other, one)), ops.multiply(number(ops.Equal()(other, one)), 0.5)
    )
    weights = ops.reshape(support, (*kept, 1, x.shape[axis]))
    times = ops.add(total(ops.multiply(below, weights)), 0.5)
    sums = ops.reduce_sum(
        ops.multiply(ops.multiply(moved, support), times), (last - 1,), keepdims=True
    )
    threshold = ops.divide(ops.subtract(sums, 1.0), count)
    result = ops.maximum(ops.subtract(moved, threshold), 0.0)
    return ops.transpose(result, tuple(order.index(place) for place in range(x.ndim)))


OPS |= {
    "linear": None,
    "relu": ops.Relu(),
    "leaky_relu": ops.LeakyRelu(),
    "elu": ops.Elu(),
    "celu": ops.Celu(),
    "gelu": ops.Gelu(),
    "hard_shrink": ops.HardShrink(),
    "soft_shrink": ops.SoftShrink(),
    "squareplus": ops.Squareplus(),
}
FUNCTIONS |= {"swish": silu, "hard_swish": hard_silu}


def _along(op: type[ops.AlongAxis], x: Value, axis: int | tuple[int, ...] | list[int]) -> Value:
    """An op along one axis, or along several that are moved to the end and made one."""
    if isinstance(axis, int):
        return op(axis_of(axis, x))(x)
    axes = sorted({axis_of(entry, x) for entry in axis})
    if len(axes) == 1:
        return op(axes[0])(x)
    order = (*(entry for entry in range(x.ndim) if entry not in axes), *axes)
    moved = ops.transpose(x, order)
    kept = moved.shape[: x.ndim - len(axes)]
    length = ops.reshape(moved, (*kept, _product(moved.shape[len(kept) :])))
    result = ops.reshape(op(len(kept))(length), moved.shape)
    return ops.transpose(result, tuple(order.index(entry) for entry in range(x.ndim)))


def _product(dims: tuple[Any, ...]) -> Any:
    product: Any = 1
    for dim in dims:
        product = dim * product
    return product


def axis_of(axis: int, x: Value) -> int:
    """`axis`, which may be negative, as one of 0 ... ndim - 1."""
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"axis {axis} does not exist; the input is {x.type}")
    return axis % x.ndim


def get(identifier: Any) -> Function:
    """The activation that a name, a config, a function or a layer stands for; None is `linear`."""
    if identifier is None:
        return linear
    if (given := given_function(identifier)) is not None:
        known: Function = given
        return known
    if isinstance(identifier, SerializedFunction):
        identifier = identifier.name
    if isinstance(identifier, str):
        if identifier not in FUNCTIONS:
            raise UnsupportedError(
                f"there is no activation {identifier!r}", remedy=suggestion(identifier, FUNCTIONS)
            )
        return FUNCTIONS[identifier]
    if isinstance(identifier, SerializedObject | dict):
        from kerac.layers.deserialize import deserialize_layer

        layer: Function = deserialize_layer(identifier)
        return layer
    if isinstance(identifier, type) or not callable(identifier):
        raise CompileError(f"{identifier!r:.60} is no activation, nor the name of one")
    function: Function = identifier
    return function


def serialize(activation: Function) -> Any:
    """An activation as Keras writes it: its name, or the config of a layer."""
    if hasattr(activation, "serialize"):
        return activation.serialize()
    name = getattr(activation, "__name__", "")
    return name if FUNCTIONS.get(name) is activation else written_function(activation)


def deserialize(config: Any) -> Function:
    """The activation that a config describes."""
    return get(config)


def unary_op(activation: Function) -> Unary | None:
    """The elementwise op that an activation is, or None for `linear`; others are refused."""
    name = getattr(activation, "__name__", type(activation).__name__)
    if FUNCTIONS.get(name) is not activation or name not in OPS:
        known = ", ".join(OPS)
        raise UnsupportedError(
            f"activation {name!r} is not elementwise, but only such can be used here",
            remedy=f"Use one of {known}.",
        )
    return OPS[name]


Activation = Annotated[Any, Conversion(get, serialize, "an activation")]
"""The kind of a layer's field that holds an activation."""
