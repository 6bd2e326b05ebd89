"""Every op on f16 and bf16: native code and the reference mean what f32 does, rounded once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kerac.ir import CompileError, evaluate_graph
from tests.compare import assert_close
from tests.llvm.native import compile_graph
from tests.llvm.test_samples import ROWS
from tests.sample import SIZES, Operand, Sample

# a few steps between two numbers, as fractions of the largest one
TOLERANCES = {"f16": 4e-3, "bf16": 3e-2}


def narrow(sample: Sample, dtype: str) -> Sample:
    """The sample with f16 or bf16 in place of f32."""

    def of(operand: Operand | Sample | None) -> Operand | Sample | None:
        if isinstance(operand, Sample):
            return narrow(operand, dtype)
        if operand is None or operand.type.dtype != "f32":
            return operand
        return replace(operand, type=operand.type.with_dtype(dtype))

    return replace(sample, operands=tuple(map(of, sample.operands)))


# each op in both dtypes, but not each sample
CASES = [
    pytest.param(*row.values, dtype, id=f"{row.id}-{dtype}")
    for number, row in enumerate(ROWS)
    for dtype in [list(TOLERANCES)[number // 2 % 2]]
    if number % 2 == number // 4 % 2
]


@pytest.mark.parametrize(("sample", "weights_are_inputs", "dtype"), CASES)
def test_native_code_means_what_the_reference_does(
    sample: Sample, weights_are_inputs: bool, dtype: str
) -> None:
    sample = narrow(sample, dtype)
    try:
        graph = sample.graph(weights_are_inputs)
    except CompileError:
        pytest.skip("the op has a dtype of its own")
    executable = compile_graph(graph)
    arrays = sample.arrays(weights_are_inputs, 3, {**SIZES, "N": 3})
    results = executable(*arrays)
    results = results if isinstance(results, tuple) else (results,)
    for actual, expected in zip(results, evaluate_graph(graph, arrays), strict=True):
        assert actual.dtype == expected.dtype
        assert_close(actual.astype(np.float64), expected.astype(np.float64), TOLERANCES[dtype])
