"""Running graphs by the JIT and comparing them with the reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kerac.backends.llvm.jit import load_plan
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.target import Target, find_target
from kerac.ir import Graph, evaluate_graph, parse
from kerac.ir.types import known_shape
from kerac.runtime import Executable
from tests.compare import assert_close


def compile_graph(graph: Graph, target: str | Target = "native") -> Executable:
    """The graph as it is, without passes."""
    machine = find_target(target) if isinstance(target, str) else target
    loaded = load_plan(lower_graph(graph, machine), machine, "model")
    return Executable(loaded.information, loaded.keep)


def random_inputs(graph: Graph, dims: Mapping[str, int], seed: int = 0) -> list[np.ndarray]:
    """Normal numbers, small integers and coin tosses."""
    generator = np.random.default_rng(seed)
    arrays = []
    for value in graph.inputs:
        type_ = value.tensor_type.substitute(dims)
        shape = known_shape(type_.shape)
        if type_.dtype == "bool":
            arrays.append(generator.random(shape) < 0.5)
        elif type_.is_float:
            arrays.append(generator.normal(size=shape).astype(type_.numpy_dtype))
        else:
            arrays.append(generator.integers(0, 5, shape).astype(type_.numpy_dtype))
    return arrays


def check(
    text: str | Graph,
    dims: Mapping[str, int] | None = None,
    weights: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
    target: str | Target = "native",
    tolerance: float = 1e-5,
) -> Executable:
    """Compare the JIT with the reference on random inputs."""
    graph = parse(text, arrays=weights) if isinstance(text, str) else text
    arrays = random_inputs(graph, {"N": 2, **(dims or {})}, seed)
    executable = compile_graph(graph, target)
    got = executable(*arrays)
    for actual, expected in zip(
        got if isinstance(got, tuple) else (got,), evaluate_graph(graph, arrays), strict=True
    ):
        assert_close(actual, expected, tolerance)
    return executable
