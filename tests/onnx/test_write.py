"""Files: one for the model, a second one for arrays that protobuf cannot hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from kerac.backends.onnx import export_graph, model, write_model
from kerac.ir import CompileError, Graph, evaluate_graph, parse
from kerac.saving.atomic import atomic_output

TEXT = """
def f(x: f32[N, 40]):
    first: f32[40, 50] = parameter("first/kernel")
    second: f32[50, 60] = parameter("second/kernel")
    bias: f32[60] = parameter("second/bias")
    return dense(dense(x, first, activation="relu"), second, bias=bias)
"""


@pytest.fixture
def graph() -> Graph:
    random = np.random.default_rng(0)
    shapes = {"first/kernel": (40, 50), "second/kernel": (50, 60), "second/bias": (60,)}
    return parse(TEXT, {path: random.normal(size=s).astype("f4") for path, s in shapes.items()})


def assert_file_works(path: Path, graph: Graph) -> None:
    onnx.checker.check_model(path, full_check=True)
    x = np.ones((3, 40), np.float32)
    (result,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
    np.testing.assert_allclose(result, evaluate_graph(graph, [x])[0], rtol=1e-4, atol=1e-4)


def test_one_file(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_model(export_graph(graph), path, atomic_output)
    assert_file_works(path, graph)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_large_models_take_two_files(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "SIZE_LIMIT", 10_000)
    path = tmp_path / "model.onnx"
    exported = export_graph(graph)
    before = exported.SerializeToString(deterministic=True)
    write_model(exported, path, atomic_output)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert path.stat().st_size < 10_000
    assert_file_works(path, graph)
    assert exported.SerializeToString(deterministic=True) == before


def test_large_models_are_checked(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    small = model.without_weights(export_graph(graph))
    assert [entry.name for entry in small.graph.input] == ["x", "first/kernel", "second/kernel"]
    assert [entry.name for entry in small.graph.initializer] == ["second/bias"]
    monkeypatch.setattr(model, "SIZE_LIMIT", 10_000)
    exported = export_graph(graph)
    exported.graph.node[0].input[0] = "nothing"
    with pytest.raises(RuntimeError, match="is not valid"):
        model.check_model(exported)


def test_nothing_is_written_where_nothing_can_be(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="cannot be written"):
        write_model(export_graph(graph), tmp_path / "no" / "model.onnx", atomic_output)
    assert not list(tmp_path.iterdir())
