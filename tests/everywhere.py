"""All ways to compute a graph, for tests that compare them with Keras."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import kerac
from kerac.backends.onnx import export_graph
from kerac.compile import compile_library
from kerac.ir import Graph, evaluate_graph, parse
from kerac.passes.pipeline import run_pipeline

Arrays = Sequence[np.ndarray]
Outputs = tuple[np.ndarray, ...]


def run_reference(graph: Graph, arrays: Arrays) -> Outputs:
    """Op by op in NumPy."""
    return evaluate_graph(graph, arrays)


def run_passes(graph: Graph, arrays: Arrays) -> Outputs:
    """The optimized graph in NumPy, every pass checked, and every graph read back from its text."""
    trace = run_pipeline(graph, check=True)
    for record in trace.records:
        text = str(record.after)
        assert str(parse(text)) == text
    return evaluate_graph(trace.graph, arrays)


def run_jit(graph: Graph, arrays: Arrays) -> Outputs:
    """Native code in this process."""
    return _as_tuple(kerac.compile(graph)(*arrays))


def run_library(graph: Graph, arrays: Arrays) -> Outputs:
    """A shared library on disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.so"
        compile_library(graph, path)
        return _as_tuple(kerac.load(path)(*arrays))


def run_onnx(graph: Graph, arrays: Arrays) -> Outputs:
    """ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        export_graph(graph).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]
    return tuple(session.run(None, dict(zip(names, arrays, strict=True))))


def _as_tuple(outputs: np.ndarray | Outputs) -> Outputs:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def run_library_sometimes(graph: Graph, arrays: Arrays) -> Outputs:
    """A shared library for some graphs, native code in this process for the others.

    Both hold the same machine code, but a library takes a second to make.
    """
    chosen = zlib.crc32(str(graph).encode()) % 8 == 0
    return (run_library if chosen else run_jit)(graph, arrays)


EVERYWHERE: dict[str, Callable[[Graph, Arrays], Outputs]] = {
    "reference": run_reference,
    "passes": run_passes,
    "native code": run_library_sometimes,
    "onnx": run_onnx,
}
