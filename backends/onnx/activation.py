"""Functions of one operand: one ONNX node where one means exactly the same, else the formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kerac.backends.onnx.elementwise import operands_of
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import ONNX, Tensor
from kerac.backends.onnx.registry import Result, exports, same_order
from kerac.backends.onnx.types import accepts
from kerac.ir import Value
from kerac.ir.ops.activation import (
    SELU_ALPHA,
    SELU_SCALE,
    Celu,
    Elu,
    Gelu,
    HardShrink,
    HardSigmoid,
    HardSilu,
    HardTanh,
    LeakyRelu,
    Mish,
    Reciprocal,
    Relu,
    Relu6,
    Selu,
    Softplus,
    SoftShrink,
    Softsign,
    Threshold,
)
from kerac.ir.ops.elementwise import Unary


class Native(NamedTuple):
    """One node: further operands are scalars."""

    op_type: str
    attributes: dict[str, Any] = {}  # noqa: RUF012
    scalars: tuple[float, ...] = ()


# What each function is in ONNX, if the opset at hand has it; None where its attributes do not fit.
# Silu is not among them: opset 24 has Swish, but ONNX Runtime does not.
NATIVE: dict[type[Unary], Callable[[Any], Native | None]] = {
    Relu: lambda op: Native("Relu"),
    Relu6: lambda op: Native("Clip", scalars=(0.0, 6.0)),
    HardTanh: lambda op: Native("Clip", scalars=(-1.0, 1.0)),
    LeakyRelu: lambda op: Native("LeakyRelu", {"alpha": op.negative_slope}),
    Threshold: lambda op: (
        Native("ThresholdedRelu", {"alpha": op.threshold}) if op.value == 0 else None
    ),
    Elu: lambda op: Native("Elu", {"alpha": op.alpha}),
    Selu: lambda op: Native("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
    Celu: lambda op: Native("Celu", {"alpha": op.alpha}),
    Gelu: lambda op: Native("Gelu", {"approximate": "tanh" if op.approximate else "none"}),
    Softplus: lambda op: Native("Softplus"),
    Softsign: lambda op: Native("Softsign"),
    SoftShrink: lambda op: Native("Shrink", {"lambd": op.threshold, "bias": op.threshold}),
    HardShrink: lambda op: Native("Shrink", {"lambd": op.threshold, "bias": 0.0}),
    HardSigmoid: lambda op: Native("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    HardSilu: lambda op: Native("HardSwish"),
    Mish: lambda op: Native("Mish"),
    Reciprocal: lambda op: Native("Reciprocal"),
}


@exports(Unary, wants=same_order)
def export_unary(emit: Emitter, op: Unary, x: Value) -> Result:
    """An elementwise function as an op of its own."""
    order, (tensor,) = operands_of(emit, (x,))
    return {order: activate(op, tensor).name}


def activate(op: Unary | None, x: Tensor) -> Tensor:
    """`op` on a tensor; None is the identity."""
    if op is None:
        return x
    native = NATIVE[type(op)](op) if type(op) in NATIVE else None
    # Attributes are single precision, too coarse for f64.
    if native and x.dtype != "f64" and accepts(native.op_type, x.emit.opset, x.dtype):
        return x.node(native.op_type, x, *native.scalars, **native.attributes)
    result: Tensor = op.formula(ONNX, x.widened()).cast(x.dtype)
    return result
