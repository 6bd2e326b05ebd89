"""Every row of the samples in ONNX Runtime against the reference, and every op has an exporter."""

import pytest

from kerac.backends.onnx import DEFAULT_OPSET, export_graph
from kerac.backends.onnx.registry import UNSUPPORTED, needed_opset
from kerac.ir.errors import UnsupportedError
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
    opset = max(needed_opset(sample.op), DEFAULT_OPSET)
    assert_same_as_reference(sample.graph(), sample.arrays(), sample.tolerance, opset=opset)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("sample", EXPORTED, ids=lambda sample: sample.name)
def test_every_opset_means_the_same(sample: Sample, opset: int) -> None:
    if needed_opset(sample.op) > opset:
        with pytest.raises(UnsupportedError, match=f"but opset {opset} is asked for"):
            export_graph(sample.graph(), opset)
        return
    assert_same_as_reference(sample.graph(), sample.arrays(), sample.tolerance, opset=opset)


@pytest.mark.parametrize("sample", EXPORTED, ids=lambda sample: sample.name)
def test_computed_weights(sample: Sample) -> None:
    graph, arrays = sample.graph(weights_are_inputs=True), sample.arrays(weights_are_inputs=True)
    opset = max(needed_opset(sample.op), DEFAULT_OPSET)
    assert_same_as_reference(graph, arrays, sample.tolerance, opset=opset)
