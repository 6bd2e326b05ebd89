"""The inverse of the tangent."""

from __future__ import annotations

from kerac.backends.onnx.elementwise import operands_of
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.registry import Result, exports, same_order
from kerac.ir import Value
from kerac.ir.ops.trigonometry import Arctangent


@exports(Arctangent, wants=same_order)
def export_arctangent(emit: Emitter, op: Arctangent, x: Value) -> Result:
    """Atan, in f32 because runtimes lack others."""
    order, (tensor,) = operands_of(emit, (x,))
    wide = tensor.cast("f32")
    return {order: wide.node("Atan", wide).cast(x.dtype).name}
