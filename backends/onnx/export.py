"""`export_graph`: a graph as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.inline import inline_calls
from kerac.backends.onnx.model import check_model, make_model
from kerac.backends.onnx.registry import refuse_newer, refuse_unsupported
from kerac.ir import Graph, UnsupportedError, Value

DEFAULT_OPSET = 17  # of 2022: what runtimes in use today can read; has LayerNormalization
OLDEST_OPSET = (
    13  # the first one whose Squeeze, Unsqueeze, Split and ReduceSum take axes as operands
)
BFLOAT16_OPSET = 22  # the first one whose convolution, pooling and recurrent nodes take bf16


def newest_opset() -> int:
    """The newest opset that the installed onnx can check."""
    return int(onnx.defs.onnx_opset_version())


def export_graph(
    graph: Graph, opset: int | None = None, metadata: Mapping[str, str] | None = None
) -> onnx.ModelProto:
    """`graph` as a checked model; `metadata` is stored in it. Symbolic dimensions stay dynamic.

    Without an `opset` it is one that runtimes in use can read, and has what the graph needs.
    """
    if opset is None:
        opset = BFLOAT16_OPSET if _brain_floats(inline_calls(graph).values) else DEFAULT_OPSET
    if not OLDEST_OPSET <= opset <= newest_opset():
        raise UnsupportedError(
            f"opset {opset} is asked for, but {OLDEST_OPSET} to {newest_opset()} can be written"
        )
    flat = inline_calls(graph)
    refuse_unsupported(value for value in flat.values if value not in flat.inputs)
    _refuse_bfloat16(flat.values, opset)
    refuse_newer(flat.values, opset)
    emit = Emitter(flat, opset)
    for value in flat.values:
        emit.export(value)
    model = make_model(emit, metadata or {})
    check_model(model)
    return model


def _brain_floats(values: tuple[Value, ...]) -> list[Value]:
    return [v for v in values if not isinstance(v.type, tuple) and v.dtype == "bf16"]


def _refuse_bfloat16(values: tuple[Value, ...], opset: int) -> None:
    found = _brain_floats(values)
    if found and opset < BFLOAT16_OPSET:
        raise UnsupportedError(
            f"{found[0].name} is bf16, but opset {opset} has no bf16 in many operators",
            remedy=f"Export with opset {BFLOAT16_OPSET} or newer.",
        )
