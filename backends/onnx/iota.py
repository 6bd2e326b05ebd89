"""Numbers of places along an axis."""

from __future__ import annotations

import numpy as np

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import Tensor
from kerac.backends.onnx.registry import Result, exports
from kerac.backends.onnx.shapes import dim_tensor, shape_tensor
from kerac.ir.ops.iota import Iota

INT64 = np.dtype(np.int64)


@exports(Iota)
def export_iota(emit: Emitter, op: Iota) -> Result:
    """Range, stretched to the shape."""
    one, zero = emit.constant(1, INT64), emit.constant(0, INT64)
    stop = emit.node("Squeeze", dim_tensor(emit, op.shape[op.axis]), emit.integers(0))
    numbers = Tensor(emit, emit.node("Range", zero, stop, one), "i64").cast(op.dtype).name
    behind = len(op.shape) - op.axis - 1
    if behind:
        numbers = emit.node("Unsqueeze", numbers, emit.integers(*range(1, 1 + behind)))
    if any(dim != 1 for axis, dim in enumerate(op.shape) if axis != op.axis):
        numbers = emit.node("Expand", numbers, shape_tensor(emit, op.shape))
    elif op.axis:
        numbers = emit.node("Unsqueeze", numbers, emit.integers(*range(op.axis)))
    return numbers
