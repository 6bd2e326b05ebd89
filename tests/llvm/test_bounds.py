"""Native code stays inside its arrays: they lie between pages that nobody may touch."""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np
import pytest

from kerac.backends.llvm.grouping import LEAVES
from kerac.ir import evaluate_graph
from tests.compare import assert_close
from tests.llvm.native import compile_graph
from tests.llvm.test_samples import has_native_code
from tests.sample import SIZES, Sample
from tests.samples import SAMPLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="protects pages with mprotect")

PAGE = mmap.PAGESIZE


class Fenced:
    """Memory between two forbidden pages, for an array that begins or ends at one of them."""

    def __init__(self, like: np.ndarray, at_end: bool) -> None:
        size = -(-max(like.nbytes, 1) // PAGE) * PAGE
        self.memory = mmap.mmap(-1, size + 2 * PAGE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        library = ctypes.CDLL(None, use_errno=True)
        for fence in (self.start, self.start + PAGE + size):
            assert library.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(PAGE), 0) == 0
        offset = PAGE + (size - like.nbytes if at_end else 0)
        flat = np.frombuffer(self.memory, np.uint8, like.nbytes, offset)
        self.array = flat.view(like.dtype).reshape(like.shape)
        self.array[...] = like


FENCED = [
    pytest.param(sample, id=sample.name)
    for number, sample in enumerate(SAMPLES)
    if has_native_code(sample) and not isinstance(sample.op, LEAVES)
]


@pytest.mark.parametrize("sample", FENCED)
def test_native_code_stays_inside(sample: Sample) -> None:
    graph = sample.graph()
    executable = compile_graph(graph, "avx2" if len(sample.name) % 2 else "native")
    for batch, at_end in ((3, True), (1, True), (1, False)):
        arrays = sample.arrays(sizes={**SIZES, "N": batch})
        expected = evaluate_graph(graph, arrays)
        inputs = [Fenced(array, at_end) for array in arrays]
        outputs = [Fenced(np.zeros_like(array), at_end) for array in expected]
        executable.run_into([i.array for i in inputs], [o.array for o in outputs])
        for output, wanted in zip(outputs, expected, strict=True):
            assert_close(output.array, wanted, sample.tolerance)
