"""Each function of `kerac.ops` against Keras: on arrays, compiled, exported and differentiated."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.backends.onnx import export_graph
from kerac.convert import plain
from kerac.ir import Graph, Value, evaluate_graph, type_of
from kerac.ir import ops as ir_ops
from kerac.ir.errors import UnsupportedError
from kerac.ir.gradients import reverse
from kerac.ops.registry import FUNCTIONS, ON_ARRAYS
from kerac.structure import leaves
from tests.compare import assert_close
from tests.frontend.ops.case import Case
from tests.frontend.ops.cases import CASES
from tests.onnx.session import run

BLOCK = 30  # cases in one module of native code
IN_GRAPHS = [case for case in CASES if case.in_graphs]
BLOCKS = [IN_GRAPHS[start : start + BLOCK] for start in range(0, len(IN_GRAPHS), BLOCK)]


def results(found: Any) -> list[Any]:
    return [x for x in leaves(_plain(found)) if x is not None]


def _plain(found: Any) -> Any:
    return list(map(_plain, found)) if isinstance(found, list | tuple) else found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_on_arrays(case: Case) -> None:
    arrays = case.arrays()
    wanted = results(case.call(keras.ops, arrays))
    actual = results(case.call(kerac.ops, arrays))
    assert len(actual) == len(wanted)
    for ours, theirs in zip(actual, wanted, strict=True):
        expected = np.asarray(theirs)
        assert np.asarray(ours).dtype.name == expected.dtype.name
        assert_same(np.asarray(ours), expected, case.tolerance)


def assert_same(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    if expected.dtype.kind == "c":
        assert_same(actual.real, expected.real, tolerance)
        assert_same(actual.imag, expected.imag, tolerance)
    else:
        assert_close(actual, expected, tolerance)


def made(cases: Sequence[Case], dtype: str | None = None) -> tuple[Graph, list[np.ndarray]]:
    """All calls in one graph, on tensors of their own; `dtype` is that of the fractions."""
    inputs: list[Value] = []
    arrays: list[np.ndarray] = []
    outputs: list[Value] = []
    for case in cases:
        values = []
        for array in case.arrays():
            if dtype and array.dtype.kind == "f":
                array = array.astype(dtype)
            values.append(ir_ops.graph_input(f"x{len(inputs)}", type_of(array)))
            inputs.append(values[-1])
            arrays.append(array)
        outputs += results(case.call(kerac.ops, values))
    return Graph("calls", tuple(inputs), tuple(map(as_value, outputs))), arrays


def as_value(x: Any) -> Value:
    return x if isinstance(x, Value) else ir_ops.constant(np.asarray(x))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block[0].name}...{block[-1].name}")
def test_native_code(block: list[Case]) -> None:
    wanted: list[tuple[str, np.ndarray, float]] = []
    for case in block:
        for found in results(case.call(kerac.ops, case.arrays())):
            array = np.int32(found) if isinstance(found, int) else np.asarray(found)
            wanted.append((case.title, np.asarray(array), case.tolerance))
    graph, arrays = made(block)
    outputs = kerac.compile(graph)(*arrays)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for actual, (title, expected, tolerance) in zip(outputs, wanted, strict=True):
        try:
            assert actual.dtype == expected.dtype
            assert_close(actual, expected, tolerance)
        except AssertionError as error:
            raise AssertionError(f"{title}: {error}") from None


@pytest.mark.parametrize("case", IN_GRAPHS, ids=lambda case: case.title)
def test_in_a_model(case: Case) -> None:
    """Symbolic tensors have the shapes and dtypes of arrays, and configs make the same node."""
    arrays = case.arrays()
    if not arrays or any(x.dtype == np.float16 for x in arrays):
        return  # there is no Input of halves
    symbols = [kerac.Input(batch_shape=x.shape, dtype=x.dtype.name) for x in arrays]
    wanted = results(case.call(kerac.ops, arrays))
    found = results(case.call(kerac.ops, symbols))
    for symbol, array in zip(found, wanted, strict=True):
        if isinstance(array, int):
            continue
        assert (symbol.shape, symbol.dtype) == (array.shape, array.dtype.name)
        layer = symbol.node.layer
        config = json.loads(json.dumps(plain(layer.get_config())))
        assert type(layer).from_config(config).get_config().keys() == layer.get_config().keys()


@pytest.mark.parametrize("case", IN_GRAPHS, ids=lambda case: case.title)
def test_onnx(case: Case) -> None:
    graph, arrays = made([case])
    if not arrays:
        return
    if case.name == "istft":
        with pytest.raises(UnsupportedError, match="cannot express scatter_add"):
            export_graph(graph, 18)
        return
    halves = any(y.tensor_type.dtype == "f16" for y in graph.outputs)
    tolerance = 1e-3 if halves else case.tolerance
    outputs = run(export_graph(graph, 18), arrays)
    for actual, expected in zip(outputs, evaluate_graph(graph, arrays), strict=True):
        assert actual.dtype == expected.dtype
        assert_close(actual, expected, tolerance)


SMOOTH = [case for case in IN_GRAPHS if case.differs]


@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.title)
def test_gradient(case: Case) -> None:
    """Along one direction, against a difference quotient: in float64, but for images."""
    of_images = case.name.startswith("image.")
    graph, arrays = made([case], None if of_images else "float64")
    step, tolerance = (1e-3, 1e-2) if of_images else (1e-6, 1e-5)
    generator = np.random.default_rng(3)
    places = [i for i, x in enumerate(graph.inputs) if x.tensor_type.is_float]
    outputs = [y for y in graph.outputs if y.tensor_type.is_float]
    assert places
    assert outputs
    weights = [generator.normal(size=y.shape) for y in outputs]
    cotangents = [
        ir_ops.constant(np.asarray(w), y.dtype) for w, y in zip(weights, outputs, strict=True)
    ]
    found = reverse(outputs, cotangents, [graph.inputs[i] for i in places])
    assert all(g is not None for g in found)
    slopes = evaluate_graph(Graph("slopes", graph.inputs, tuple(found)), arrays)
    ways = [generator.normal(size=arrays[i].shape) for i in places]
    actual = sum(float((s * w).sum()) for s, w in zip(slopes, ways, strict=True))
    ends = []
    for sign in (1, -1):
        moved = list(arrays)
        for i, way in zip(places, ways, strict=True):
            moved[i] = (arrays[i] + sign * step * way).astype(arrays[i].dtype)
        values = evaluate_graph(Graph("moved", graph.inputs, tuple(outputs)), moved)
        ends.append(sum(float((v * w).sum()) for v, w in zip(values, weights, strict=True)))
    expected = (ends[0] - ends[1]) / (2 * step)
    assert abs(actual - expected) <= tolerance * max(1.0, abs(expected))


REFUSED = [
    case
    for case in CASES
    if not case.in_graphs and all(array.dtype.kind != "c" for array in case.arrays())
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.title)
def test_what_graphs_refuse(case: Case) -> None:
    values = [ir_ops.graph_input("x", type_of(array)) for array in case.arrays()]
    with pytest.raises(UnsupportedError, match="tensor of a graph") as found:
        case.call(kerac.ops, values)
    assert "Call it on arrays before" in str(found.value)


def test_readme_names_what_takes_arrays_alone() -> None:
    text = (Path(__file__).parents[3] / "README.md").read_text()
    assert [name for name in ON_ARRAYS if f"`{name}`" not in text] == []


def test_every_function_has_a_case() -> None:
    named = {case.name.rsplit(".", 1)[-1] for case in CASES}
    elsewhere = {
        "associative_scan", "cond", "custom_gradient", "fori_loop", "jvp", "map", "scan", "switch",
        "vectorize", "vectorized_map", "while_loop", "convert_to_numpy", "convert_to_tensor",
        "dtype", "elastic_transform", "is_tensor", "ndim", "shape", "stop_gradient",
    }  # fmt: skip
    assert sorted(FUNCTIONS.keys() - named - elsewhere) == []


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys()))
def test_parameters_are_those_of_keras(name: str) -> None:
    library = keras.ops.image if not hasattr(keras.ops, name) else keras.ops
    theirs = inspect.signature(getattr(library, name)).parameters
    ours = inspect.signature(FUNCTIONS[name]).parameters
    named = [p.name for p in theirs.values() if p.kind is not p.VAR_KEYWORD]
    assert [p for p in ours if p in named] == named
    for key in named:
        if theirs[key].default is not inspect.Parameter.empty:
            assert ours[key].default == theirs[key].default, key
