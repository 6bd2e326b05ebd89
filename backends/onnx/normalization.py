"""Normalization: ONNX's operators where the axes lie as these want them, else the arithmetic."""

from __future__ import annotations

from kerac.backends.onnx.builder import ABSENT
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.order import Order, identity
from kerac.backends.onnx.registry import Result, exports, same_order
from kerac.backends.onnx.shapes import fill
from kerac.backends.onnx.types import accepts
from kerac.ir import Value
from kerac.ir.ops.activation import Rsqrt, Sqrt, Square
from kerac.ir.ops.elementwise import add, divide, multiply, subtract
from kerac.ir.ops.movement import reshape
from kerac.ir.ops.normalization import BatchNorm, LayerNorm
from kerac.ir.ops.reduction import reduce_mean


@exports(BatchNorm, wants=same_order)
def export_batch_norm(
    emit: Emitter,
    op: BatchNorm,
    x: Value,
    mean: Value,
    variance: Value,
    gamma: Value | None = None,
    beta: Value | None = None,
) -> Result:
    """BatchNormalization where the channels are second, as after a convolution."""
    order = emit.choose_order(x)
    # The epsilon of both operators is single precision, too coarse for f64.
    if x.ndim < 2 or order[1] != op.axis or x.dtype == "f64":
        return emit.expand(batch_norm_arithmetic(op, x, mean, variance, gamma, beta))
    scale = fill(emit, 1.0, mean.shape, x.dtype) if gamma is None else emit.tensor(gamma)
    shift = fill(emit, 0.0, mean.shape, x.dtype) if beta is None else emit.tensor(beta)
    operands = emit.tensor(x, order), scale, shift, emit.tensor(mean), emit.tensor(variance)
    return {order: emit.node("BatchNormalization", *operands, epsilon=op.epsilon)}


def batch_norm_arithmetic(
    op: BatchNorm, x: Value, mean: Value, variance: Value, gamma: Value | None, beta: Value | None
) -> Value:
    """The definition; what is constant in it is folded."""
    # A vector over axis k broadcasts as [C, 1, ...] with an axis of length 1 for each axis after k.
    shape = (x.shape[op.axis], *(1 for _ in x.shape[op.axis + 1 :]))
    scale = Rsqrt()(add(variance, op.epsilon))
    if gamma is not None:
        scale = multiply(scale, gamma)
    result = multiply(subtract(x, reshape(mean, shape)), reshape(scale, shape))
    return result if beta is None else add(result, reshape(beta, shape))


@exports(LayerNorm, wants=same_order)
def export_layer_norm(
    emit: Emitter, op: LayerNorm, x: Value, gamma: Value | None = None, beta: Value | None = None
) -> Result:
    """LayerNormalization over the last axes of the tensor, where the opset has it."""
    order = _order_for(emit, op, x)
    if order is None:
        return emit.expand(layer_norm_arithmetic(op, x, gamma, beta))
    shape = tuple(x.shape[axis] for axis in op.axes)
    scale = fill(emit, 1.0, shape, x.dtype) if gamma is None else emit.tensor(gamma)
    shift = ABSENT if beta is None else emit.tensor(beta)
    first = x.ndim - len(op.axes)
    attributes = {"axis": first, "epsilon": op.epsilon}
    return {
        order: emit.node("LayerNormalization", emit.tensor(x, order), scale, shift, **attributes)
    }


def _order_for(emit: Emitter, op: LayerNorm, x: Value) -> Order | None:
    """An order in which the normalized axes are the last ones, if one is at hand."""
    if not accepts("LayerNormalization", emit.opset, x.dtype) or x.dtype == "f64":
        return None
    orders = emit.choose_order(x), identity(x.ndim)
    return next((order for order in orders if order[-len(op.axes) :] == op.axes), None)


def layer_norm_arithmetic(
    op: LayerNorm, x: Value, gamma: Value | None, beta: Value | None
) -> Value:
    """The definition."""
    centred = subtract(x, reduce_mean(x, op.axes, keepdims=True))
    variance = reduce_mean(Square()(centred), op.axes, keepdims=True)
    result = divide(centred, Sqrt()(add(variance, op.epsilon)))
    first = op.axes[0]
    shape = tuple(
        dim if axis in op.axes else 1 for axis, dim in enumerate(x.shape) if axis >= first
    )
    if gamma is not None:
        result = multiply(result, reshape(gamma, shape))
    return result if beta is None else add(result, reshape(beta, shape))
