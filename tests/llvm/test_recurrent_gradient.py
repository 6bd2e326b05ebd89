"""The native gradient of an LSTM beside the op whose gates it reads."""

from __future__ import annotations

import numpy as np
import pytest

from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.target import find_target
from kerac.ir import parse
from kerac.ir.ops import LSTMGradient
from tests.llvm.native import check, random_inputs


@pytest.mark.parametrize("others", ["", ", negative(gates)"])
def test_it_takes_the_memory_of_gates_that_nothing_else_reads(others: str) -> None:
    text = f"""
def f(x: f32[N, T, 3]):
    kernel: f32[3, 148] = parameter("kernel")
    recurrent: f32[37, 148] = parameter("recurrent")
    y = lstm(x, kernel, recurrent, keep_gates=True)
    turned = transpose(recurrent, permutation=(1, 0))
    gates = item(y, index=3)
    g = lstm_gradient(gates, item(y, index=4), turned, state=item(y, index=1))
    return negative(item(g, index=0)), item(g, index=1), item(g, index=3){others}
"""
    generator = np.random.default_rng(3)
    shapes = {"kernel": (3, 148), "recurrent": (37, 148)}
    weights = {
        name: generator.uniform(-0.3, 0.3, shape).astype("f") for name, shape in shapes.items()
    }
    graph = parse(text, arrays=weights)
    read_or_written = [
        [
            buffer
            for buffer in launch.buffers
            if buffer.type.ndim == 3 and buffer.type.shape[-1] == 148
        ]
        for launch in lower_graph(graph, find_target("native")).launches
        if any(isinstance(value.op, LSTMGradient) for value in launch.values)
    ]
    assert [len(buffers) for buffers in read_or_written] == [2 if others else 1]
    executable = check(graph, {"N": 19, "T": 6})
    arrays = random_inputs(graph, {"N": 19, "T": 6})
    results = []
    for threads in (1, 2, 3):
        executable.threads = threads
        results.append([array.tobytes() for array in executable(*arrays)])
    assert results[0] == results[1] == results[2]
