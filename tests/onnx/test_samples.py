"""Every row of the samples in ONNX Runtime against the reference, and every op has an exporter."""

import pytest

from kerac.backends.onnx.registry import UNSUPPORTED
from kerac.ir.op import operand_names
from kerac.ir.ops import Recurrent
from tests.onnx.session import NEWEST_OF_RUNTIME, assert_same_as_reference
from tests.sample import Sample
from tests.samples import SAMPLES


def acts_in_training(sample: Sample) -> bool:
    """Whether a recurrent op scales its states."""
    return isinstance(sample.op, Recurrent) and "scale" in operand_names(
        type(sample.op), len(sample.operands)
    )


EXPORTED = [
    sample
    for sample in SAMPLES
    if type(sample.op) not in UNSUPPORTED and not acts_in_training(sample)
]
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
