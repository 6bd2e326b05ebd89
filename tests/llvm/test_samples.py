"""Every sample of every op that has native code, compiled and compared with the reference."""

from __future__ import annotations

import pytest

from kerac.backends.llvm.grouping import ALIASES, LEAVES
from kerac.backends.llvm.lowering import LOWERINGS
from kerac.backends.llvm.lowerings import register_all
from kerac.ir import evaluate_graph
from kerac.ir.ops import Elementwise
from tests.compare import assert_close
from tests.llvm.native import compile_graph
from tests.sample import SIZES, Sample
from tests.samples import SAMPLES

register_all()


def has_native_code(sample: Sample) -> bool:
    own = type(sample.op) in LOWERINGS or isinstance(sample.op, (Elementwise, *LEAVES, *ALIASES))
    return own and all(
        has_native_code(operand) for operand in sample.operands if isinstance(operand, Sample)
    )


def has_weights(sample: Sample) -> bool:
    return any(
        has_weights(operand) if isinstance(operand, Sample) else operand and operand.is_weight
        for operand in sample.operands
    )


# with weights that are known when code is made, and, where there are any, with computed ones
ROWS = [
    pytest.param(sample, computed, id=f"{sample.name}-{'inputs' if computed else 'weights'}")
    for sample in SAMPLES
    if has_native_code(sample)
    for computed in ((False, True) if has_weights(sample) else (False,))
]


@pytest.mark.parametrize(("sample", "weights_are_inputs"), ROWS)
def test_native_code_means_what_the_reference_does(
    sample: Sample, weights_are_inputs: bool
) -> None:
    graph = sample.graph(weights_are_inputs)
    executable = compile_graph(graph)
    for batch in (3, 1):
        arrays = sample.arrays(weights_are_inputs, batch, {**SIZES, "N": batch})
        results = executable(*arrays)
        results = results if isinstance(results, tuple) else (results,)
        for actual, expected in zip(results, evaluate_graph(graph, arrays), strict=True):
            assert actual.dtype == expected.dtype
            assert_close(actual, expected, sample.tolerance)
