"""Every op on every row of the samples: types, numbers and text agree."""

import numpy as np
import pytest

from kerac.ir import REGISTRY, evaluate_graph, parse, verify
from kerac.ir.ops import Parameter
from tests.compare import assert_close
from tests.sample import Sample
from tests.samples import SAMPLES


def name(sample: Sample) -> str:
    return sample.name


def all_arrays(graph):
    """The arrays that the text leaves out, by name or digest."""
    found = {}
    for value in graph.values:
        data = getattr(value.op, "data", None)
        if data is not None:
            found[value.op.name if isinstance(value.op, Parameter) else data.digest] = data.array
    return found


@pytest.mark.parametrize("text_name", sorted(REGISTRY))
def test_every_op_has_a_row(text_name: str) -> None:
    assert any(type(sample.op) is REGISTRY[text_name] for sample in SAMPLES), (
        f"{text_name} has no row"
    )


def test_rows_have_names_of_their_own() -> None:
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
@pytest.mark.parametrize("weights_are_inputs", [False, True])
def test_values_have_the_inferred_type(sample: Sample, weights_are_inputs: bool) -> None:
    # evaluate_graph compares the type of every array with what `infer` says
    graph = sample.graph(weights_are_inputs)
    verify(graph)
    for sizes in ({"N": 3, "T": 5, "H": 7, "W": 6}, {"N": 1, "T": 2, "H": 9, "W": 4}):
        evaluate_graph(graph, sample.arrays(weights_are_inputs, sizes=sizes))


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
def test_text_reads_back(sample: Sample) -> None:
    graph = sample.graph()
    again = parse(str(graph), all_arrays(graph))
    assert str(again) == str(graph)
    assert str(parse(str(again))) == str(graph)
    arrays = sample.arrays()
    for one, other in zip(
        evaluate_graph(again, arrays), evaluate_graph(graph, arrays), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sample", SAMPLES, ids=name)
def test_decomposition_means_the_same(sample: Sample) -> None:
    graph = sample.graph()
    parts = [value.op.decompose(*value.inputs) for value in graph.outputs]
    if all(part is None for part in parts):
        return
    arrays = sample.arrays()
    outputs = [part or value for part, value in zip(parts, graph.outputs, strict=True)]
    for one, other in zip(
        evaluate_graph(graph.with_outputs(outputs), arrays),
        evaluate_graph(graph, arrays),
        strict=True,
    ):
        assert_close(one, other)
