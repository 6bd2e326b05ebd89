"""Ops that differ between training and inference."""

from __future__ import annotations

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.registry import Result, exports, same_order
from kerac.ir import Value
from kerac.ir.ops.training import Dropout


@exports(Dropout, wants=same_order)
def export_dropout(emit: Emitter, op: Dropout, x: Value) -> Result:
    """Nothing is dropped in inference."""
    return emit.forms[x]
