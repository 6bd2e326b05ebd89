"""Random graphs mean the same after the passes, by each alone and by all of them.

In float64, where rounding is far below the tolerance and nothing hides behind it; and in float32.
"""

import numpy as np
import pytest

from kerac.ir import Graph, evaluate_graph, parse, verify
from kerac.passes import PASSES, Pass, run_pipeline
from kerac.passes.check import largest_error, random_inputs
from tests.random_graphs import random_graph

SEEDS = range(40)
NAMES = [f"{place}-{step.name}" for place, step in enumerate(PASSES)]


def error(before: Graph, after: Graph) -> float:
    inputs = random_inputs(before, seed=1)
    pairs = zip(evaluate_graph(before, inputs), evaluate_graph(after, inputs), strict=True)
    return max(largest_error(one, other) for one, other in pairs)


@pytest.mark.parametrize("seed", SEEDS)
def test_pipeline_keeps_the_meaning(seed: int) -> None:
    graph = random_graph(seed, dtype="f64")
    trace = run_pipeline(graph)
    verify(trace.graph)
    assert trace.graph.output_names == graph.output_names
    for record in trace.records:
        worst = error(record.before, record.after)
        assert worst < 1e-10, f"{record.name} {record.changes}\n{record.before}\n{record.after}"


@pytest.mark.parametrize("seed", SEEDS)
def test_pipeline_keeps_float32(seed: int) -> None:
    graph = random_graph(1000 + seed, steps=12)
    after = run_pipeline(graph, check=True).graph
    assert error(graph, after) < 2e-5


@pytest.mark.parametrize("step", PASSES, ids=NAMES)
def test_a_pass_keeps_the_meaning_wherever_it_stands(step: Pass) -> None:
    for seed in range(2000, 2030):
        graph = random_graph(seed, dtype="f64")
        after = step(graph)
        verify(after)
        assert error(graph, after) < 1e-10, f"{graph}\n{after}"


@pytest.mark.parametrize("seed", SEEDS)
def test_pipeline_comes_to_rest(seed: int) -> None:
    once = run_pipeline(random_graph(3000 + seed)).graph
    assert str(once) == str(parse(str(once)))
    twice = run_pipeline(once).graph
    assert len(twice.values) <= len(once.values)
    assert np.isfinite(error(once, twice))
