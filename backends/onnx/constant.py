"""Arrays stored in the model, and results of ops before; calls are inlined before exporters run."""

from __future__ import annotations

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.registry import Result, exports
from kerac.ir import Value
from kerac.ir.ops.constant import Constant, Item, Parameter


@exports(Item)
def export_item(emit: Emitter, op: Item, results: Value) -> Result:
    """One of the results that the op before has left."""
    return emit.results[results][op.index]


@exports(Constant, Parameter)
def export_array(emit: Emitter, op: Constant | Parameter) -> Result:
    """An initializer."""
    return emit.initializer(op.data.array, emit.labels[emit.value])
