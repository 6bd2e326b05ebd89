"""Every row of the samples in ONNX Runtime against the reference, and every op has an exporter."""

import pytest

from kerac.backends.onnx.registry import UNSUPPORTED
from tests.onnx.session import NEWEST_OF_RUNTIME, assert_same_as_reference
from tests.sample import Sample
from tests.samples import SAMPLES

EXPORTED = [sample for sample in SAMPLES if type(sample.op) not in UNSUPPORTED]
OPSETS = (13, 18, 20, NEWEST_OF_RUNTIME)  # 17 is the default


@pytest.mark.parametrize("sample", EXPORTED, ids=lambda sample: sample.name)
def test_runtime_agrees_with_reference(sample: Sample) -> None:
    assert_same_as_reference(sample.graph(), sample.arrays(), sample.tolerance)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("sample", EXPORTED, ids=lambda sample: sample.name)
def test_every_opset_means_the_same(sample: Sample, opset: int) -> None:
    assert_same_as_reference(sample.graph(), sample.arrays(), sample.tolerance, opset=opset)


@pytest.mark.parametrize("sample", EXPORTED, ids=lambda sample: sample.name)
def test_computed_weights(sample: Sample) -> None:
    graph, arrays = sample.graph(weights_are_inputs=True), sample.arrays(weights_are_inputs=True)
    assert_same_as_reference(graph, arrays, sample.tolerance)
