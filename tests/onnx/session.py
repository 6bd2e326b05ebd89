"""Run exported models in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime

from kerac.backends.onnx import export_graph
from kerac.ir import Graph, evaluate_graph
from tests.compare import assert_close

NEWEST_OF_RUNTIME = 26  # the newest opset that ONNX Runtime accepts


def run(model: onnx.ModelProto, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of `model` for `arrays` in the order of its inputs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [entry.name for entry in session.get_inputs()]
    results: list[np.ndarray] = session.run(None, dict(zip(names, arrays, strict=True)))
    return results


def assert_same_as_reference(
    graph: Graph, arrays: Sequence[np.ndarray], tolerance: float = 1e-5, **options: int
) -> onnx.ModelProto:
    """Export `graph`, run it, and compare all outputs with those of the reference."""
    model = export_graph(graph, **options)
    expected = evaluate_graph(graph, arrays)
    results = run(model, arrays)
    for result, wanted in zip(results, expected, strict=True):
        assert result.dtype == wanted.dtype
        assert_close(result, wanted, tolerance)
    return model


def count(model: onnx.ModelProto, op_type: str) -> int:
    """The number of nodes of a kind."""
    return sum(node.op_type == op_type for node in model.graph.node)
