"""The ways to compute a graph that `verify` compares, each made only when it is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir import Graph, UnsupportedError

if TYPE_CHECKING:
    from kerac.runtime import Executable

Array = np.ndarray[Any, Any]
Inputs = Mapping[str, Array]
Contestant = Callable[[Graph, Inputs], Sequence[Array]]


class NotAvailableError(Exception):
    """This machine cannot run a contestant; the text says why."""


def run_compiled(graph: Graph, inputs: Inputs) -> Sequence[Array]:
    """Compile in memory and run."""
    from kerac.compile import compile

    return _outputs(compile(graph), inputs)


def run_library(graph: Graph, inputs: Inputs) -> Sequence[Array]:
    """Compile to a shared library, load it and run."""
    from kerac.backends.llvm.ahead_of_time import LinkError
    from kerac.compile import compile_library
    from kerac.runtime import load

    with tempfile.TemporaryDirectory(prefix="kerac-") as folder:
        path = Path(folder) / "model.so"
        try:
            compile_library(graph, path)
        except LinkError as error:
            raise NotAvailableError(error.fact) from None
        return _outputs(load(path), inputs)


def run_onnx(graph: Graph, inputs: Inputs) -> Sequence[Array]:
    """Export to ONNX and run in ONNX Runtime."""
    runtime = _onnx_runtime()
    from kerac.compile import export_onnx

    with tempfile.TemporaryDirectory(prefix="kerac-") as folder:
        path = Path(folder) / "model.onnx"
        try:
            export_onnx(graph, path)
        except UnsupportedError as error:
            raise NotAvailableError(error.fact) from None
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    # its names may be spelled otherwise, but its order is the graph's
    names = [node.name for node in session.get_inputs()]
    arrays = [inputs[name] for name in graph.input_names]
    found: list[Array] = session.run(None, dict(zip(names, arrays, strict=True)))
    return found


def _onnx_runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise NotAvailableError("onnxruntime is not installed") from None
    return onnxruntime


CONTESTANTS: dict[str, Contestant] = {
    "compiled": run_compiled,
    "library": run_library,
    "onnx": run_onnx,
}


def run_reference(graph: Graph, inputs: Inputs) -> Sequence[Array]:
    """Interpret the graph by the meaning of its ops in NumPy."""
    from kerac.ir import evaluate_graph

    return evaluate_graph(graph, [inputs[name] for name in graph.input_names])


def _outputs(executable: Executable, inputs: Inputs) -> Sequence[Array]:
    found = executable(dict(inputs))
    return found if isinstance(found, tuple) else (found,)
