"""Arrays stored in the model, and results of ops before; calls are inlined before exporters run."""

from __future__ import annotations

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.registry import Result, exports
from kerac.backends.onnx.shapes import dim_tensor
from kerac.backends.onnx.types import element_type
from kerac.ir import Value
from kerac.ir.ops.constant import Constant, Item, Length, Parameter


@exports(Item)
def export_item(emit: Emitter, op: Item, results: Value) -> Result:
    """One of the results that the op before has left."""
    return emit.results[results][op.index]


@exports(Constant, Parameter)
def export_array(emit: Emitter, op: Constant | Parameter) -> Result:
    """An initializer."""
    return emit.initializer(op.data.array, emit.labels[emit.value])


@exports(Length)
def export_length(emit: Emitter, op: Length) -> Result:
    """From the shape of the input that has the dimension."""
    number = emit.node("Squeeze", dim_tensor(emit, op.dim), emit.integers(0))
    return emit.node("Cast", number, to=element_type(op.dtype))
