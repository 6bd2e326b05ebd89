"""The order of elements, sums up to each one, and tables changed by number."""

from __future__ import annotations

import numpy as np

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import Tensor
from kerac.backends.onnx.registry import SINCE, Result, exports, same_order
from kerac.backends.onnx.shapes import dim_tensor
from kerac.ir import Value
from kerac.ir.ops.cumulative import CumulativeSum
from kerac.ir.ops.scatter import Scatter
from kerac.ir.ops.sorting import ArgSort

INT64 = np.dtype(np.int64)
REDUCTIONS = {
    "set": ("none", 13),
    "add": ("add", 16),
    "multiply": ("mul", 16),
    "maximum": ("max", 18),
    "minimum": ("min", 18),
}
SINCE[Scatter] = lambda op: REDUCTIONS[op.reduction][1]


@exports(ArgSort)
def export_argsort(emit: Emitter, op: ArgSort, x: Value) -> Result:
    """TopK of all elements, the smallest first, which keeps equal ones in order."""
    tensor = Tensor(emit, emit.tensor(x), x.dtype).widened()
    length = dim_tensor(emit, x.shape[-1])
    _, places = emit.results_of("TopK", tensor.name, length, count=2, axis=x.ndim - 1, largest=0)
    return Tensor(emit, places, "i64").cast("i32").name


@exports(CumulativeSum, wants=same_order)
def export_cumulative_sum(emit: Emitter, op: CumulativeSum, x: Value) -> Result:
    """CumSum."""
    order = emit.choose_order(x)
    tensor = Tensor(emit, emit.tensor(x, order), x.dtype).widened()
    axis = emit.constant(order.index(op.axis), INT64)
    sums = emit.node("CumSum", tensor.name, axis, reverse=int(op.reverse))
    return {order: Tensor(emit, sums, tensor.dtype).cast(x.dtype).name}


@exports(Scatter)
def export_scatter(
    emit: Emitter, op: Scatter, table: Value, indices: Value, updates: Value
) -> Result:
    """ScatterND over a table with a row more, which takes the updates with numbers outside."""
    reduction, _ = REDUCTIONS[op.reduction]
    length = emit.node("Squeeze", dim_tensor(emit, table.shape[0]), emit.integers(0))
    rows = Tensor(emit, length, "i64")
    given = Tensor(emit, emit.tensor(indices), indices.dtype).cast("i64")
    below, above = (given.node("Less", given, end, dtype="bool") for end in (0, rows))
    numbers = given.node("Where", below, rows, given.node("Where", above, given, rows))
    numbers = given.node("Unsqueeze", numbers, Tensor(emit, emit.integers(1), "i64"))
    wide, news = (Tensor(emit, emit.tensor(v), v.dtype).widened() for v in (table, updates))
    one = emit.node("Concat", emit.integers(1), dim_tensor(emit, table.shape[1]), axis=0)
    spare = wide.node("Expand", wide.like(0), Tensor(emit, one, "i64"))
    longer = wide.node("Concat", wide, spare, axis=0)
    attributes = {} if reduction == "none" else {"reduction": reduction}
    changed = longer.node("ScatterND", longer, numbers, news, **attributes)
    stop = emit.node("Unsqueeze", rows.name, emit.integers(0))
    kept = emit.node("Slice", changed.name, emit.integers(0), stop, emit.integers(0))
    return Tensor(emit, kept, changed.dtype).cast(table.dtype).name
