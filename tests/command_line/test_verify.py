"""`kerac verify`: agreement, a wrong backend, and the layer where it goes wrong."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kerac.command_line import contestants
from kerac.command_line.comparison import Layer, deviation, first_deviating_prefix, layers_of
from kerac.command_line.contestants import Inputs, NotAvailableError, run_reference
from kerac.command_line.samples import sample_inputs
from kerac.ir import Graph, evaluate_graph, parse
from tests.command_line.conftest import MLP, Run


def wrong_at(op: str, alone: bool = True) -> contestants.Contestant:
    """A backend whose results are 1 % off from `op` on; else only where `op` is no output."""

    def run(graph: Graph, inputs: Inputs) -> Sequence[np.ndarray]:
        results = run_reference(graph, inputs)
        reached, found = set(), []
        for value in graph.values:
            fused = value not in graph.outputs
            if any(operand in reached for operand in value.operands) or (
                value.op.text_name == op and (alone or fused)
            ):
                reached.add(value)
        for value, result in zip(graph.outputs, results, strict=True):
            found.append((result * 1.01).astype(result.dtype) if value in reached else result)
        return found

    return run


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    def set_contestants(**found: contestants.Contestant) -> None:
        monkeypatch.setattr("kerac.command_line.verify.CONTESTANTS", found)

    return set_contestants


def test_all_agree(kerac: Run, mlp: Path) -> None:
    pytest.importorskip("onnxruntime")
    result = kerac("verify", mlp)
    assert result.exit_code == 0, result.stderr
    heading, row = result.stdout.splitlines()
    assert heading.split() == ["output", "compiled", "library", "onnx"]
    assert row.split()[0] == "probabilities"
    assert all(cell == "-" or float(cell) < 1e-5 for cell in row.split()[1:])
    assert "all agree with the reference" in result.stderr


def test_all_layers_agree(kerac: Run, mlp: Path, x: Path) -> None:
    result = kerac("verify", mlp, "--layers", "--input", x)
    assert result.exit_code == 0, result.stderr
    names = [line.split()[0] for line in result.stdout.splitlines()]
    assert names == ["layer", "hidden", "activation", "scores", "probabilities"]


def test_a_wrong_backend_is_told(kerac: Run, mlp: Path, only) -> None:
    only(right=run_reference, wrong=wrong_at("matmul"))
    result = kerac("verify", mlp)
    assert result.exit_code == 1
    assert "differs" in result.stdout
    assert "not all agree" in result.stderr
    result = kerac("verify", mlp, "--layers")
    assert result.exit_code == 1
    assert (
        "wrong: the first layer that differs is scores (scores: f32[N, 3] = matmul("
        in result.stderr
    )


def test_what_is_only_wrong_when_fused_is_found(kerac: Run, mlp: Path, only) -> None:
    only(wrong=wrong_at("relu", alone=False))
    result = kerac("verify", mlp, "--layers")
    assert result.exit_code == 1
    assert "differs" not in result.stdout
    assert "wrong: only fused layers differ; the first is scores" in result.stderr


def test_a_loose_tolerance_lets_it_pass(kerac: Run, mlp: Path, only) -> None:
    only(wrong=wrong_at("matmul"))
    assert kerac("verify", mlp, "--tolerance", "0.02").exit_code == 0


def test_what_this_machine_lacks_is_left_out(kerac: Run, mlp: Path, only) -> None:
    def missing(graph: Graph, inputs: Inputs) -> Sequence[np.ndarray]:
        raise NotAvailableError("there is none")

    only(right=run_reference, missing=missing)
    result = kerac("verify", mlp)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split() == ["probabilities", "0.0e+00", "-"]
    assert "missing: left out: there is none" in result.stderr


def test_deviations() -> None:
    a = np.array([1.0, 2.0, np.inf, np.nan])
    assert deviation(a, a).relative == 0
    assert deviation(a + 1e-3, a).relative == pytest.approx(5e-4)
    assert deviation(np.array([1.0, np.nan]), np.array([1.0, 1.0])).exceeds(1)
    assert deviation(np.array([1.0, 1.0]), np.array([1.0, np.nan])).exceeds(1)
    assert deviation(np.array([np.inf]), np.array([-np.inf])).exceeds(1)
    assert deviation(np.zeros(2), np.zeros(2)).relative == 0
    assert deviation(np.ones(2), np.zeros(2)).exceeds(1)
    assert deviation(np.zeros((2, 1)), np.zeros(2)).exceeds(1)
    assert deviation(np.zeros(2, np.float32), np.zeros(2)).exceeds(1)
    assert deviation(np.array([3]), np.array([4])).relative == 0.25
    assert deviation(np.zeros((0, 2)), np.zeros((0, 2))).relative == 0


def test_halving_finds_every_layer() -> None:
    graph = parse(MLP)
    layers = layers_of(graph)
    assert [layer.name for layer in layers] == ["hidden", "activation", "scores", "probabilities"]
    inputs = sample_inputs(graph, 0, {"N": 2})
    expected = run_reference(Graph("all", graph.inputs, tuple(v.value for v in layers)), inputs)

    def found(op: str) -> Layer | None:
        return first_deviating_prefix(graph, layers, expected, wrong_at(op), inputs, 1e-5)

    assert [found(op).name for op in ("dense", "relu", "matmul")] == [
        "hidden",
        "activation",
        "scores",
    ]
    assert found("tanh") is None


EMBEDDING = """
def words(tokens: f32[N, T], weights: f32[N, T], flag: bool[N]):
    table: f32[5, 2] = parameter("table")
    indices = cast(tokens, dtype="i32")
    rows = gather(table, indices)
    return rows, weights, flag
"""


def test_samples_are_rows_of_the_table_they_select_from() -> None:
    graph = parse(EMBEDDING)
    inputs = sample_inputs(graph, 0, {"N": 50, "T": 7})
    assert inputs["tokens"].shape == inputs["weights"].shape == (50, 7)
    assert set(np.unique(inputs["tokens"])) == {0, 1, 2, 3, 4}
    assert inputs["weights"].std() > 0.5
    assert inputs["flag"].dtype == bool
    again = sample_inputs(graph, 0, {"N": 50, "T": 7})
    np.testing.assert_array_equal(inputs["weights"], again["weights"])


def test_samples_are_as_long_as_the_windows_need() -> None:
    graph = parse(
        "def f(x: f32[N, T, 3]):\n"
        "    kernel: f32[40, 3, 2] = parameter('kernel')\n"
        "    y = convolution(x, kernel)\n"
        "    return y"
    )
    inputs = sample_inputs(graph, 0, {"N": 1})
    assert inputs["x"].shape == (1, 64, 3)
    kernel = np.ones((40, 3, 2), np.float32)
    evaluate_graph(parse(str(graph), {"kernel": kernel}), [inputs["x"]])
