"""Attention in its canonical parts: MatMul, Softmax, MatMul."""

from __future__ import annotations

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.registry import Result, exports
from kerac.ir import Value
from kerac.ir.ops.attention import Attention


@exports(Attention)
def export_attention(emit: Emitter, op: Attention, *operands: Value | None) -> Result:
    """The op's decomposition; transposes of heads and steps join what stands around them."""
    return emit.expand(op.decompose(*operands))
