"""State that a graph writes in place: as the reference has it, whatever else reads old values."""

from __future__ import annotations

import numpy as np
import pytest

from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.target import find_target
from kerac.backends.reference import ReferenceExecutable
from kerac.ir import InternalError, ShapeError, parse
from kerac.passes.check import random_inputs
from kerac.passes.pipeline import run_pipeline
from kerac.runtime.errors import InputError
from tests.compare import assert_close
from tests.llvm.native import compile_graph

GRAPHS = {
    "sgd": """
def step(x: f32[N, 4], w: f32[4, 3], rate: f32):
    y = dense(x, w)
    g = matmul(x, y, transpose_a=True)
    new = subtract(w, multiply(g, rate))
    update(w=1)
    return reduce_sum(y, axes=(0, 1)), new
""",
    "an old value is read after the new one is known": """
def step(x: f32[N, 3], w: f32[3], v: f32[3]):
    new = add(w, 1.0)
    other = reduce_sum(multiply(x, new), axes=(0,))
    late = multiply(add(exp(other), w), v)
    update(w=0)
    return new, late
""",
    "momentum": """
def step(g: f32[5, 37], w: f32[5, 37], m: f32[5, 37], count: i32):
    m_new = add(multiply(m, 0.9), g)
    w_new = subtract(w, multiply(m_new, 0.1))
    update(w=1, m=0, count=2)
    return m_new, w_new, add(count, 1), reduce_max(m_new, axes=(0, 1))
""",
    "exchange": """
def step(a: f32[4], b: f32[4]):
    update(a=1, b=0)
    return a, b
""",
    "an old value is an output as well": """
def step(a: f32[4]):
    update(a=1)
    return {"old": a, "new": multiply(a, 2.0)}
""",
    "nothing changes": """
def step(a: f32[4]):
    update(a=0)
    return a
""",
    "two states become the same": """
def step(a: f32[4], b: f32[4]):
    c = add(a, b)
    update(a=0, b=1)
    return {"a": c, "b": c, "c": c}
""",
    "an old value is broadcast": """
def step(a: f32[3, 3], b: f32[3]):
    c = add(a, reshape(slice(a, start=(0, 0), stop=(1, 3)), shape=(3,)))
    d = reduce_sum(c, axes=(1,))
    update(a=0, b=1)
    return c, d
""",
    "a window over an old value": """
def step(a: f32[8]):
    update(a=0)
    return reverse(a, axes=(0,))
""",
}


@pytest.mark.parametrize("passes", [False, True], ids=["as it is", "after passes"])
@pytest.mark.parametrize("name", GRAPHS)
def test_state_is_written_in_place(name: str, passes: bool) -> None:
    graph = parse(GRAPHS[name])
    assert str(parse(str(graph))) == str(graph)
    compiled = run_pipeline(graph, check=True).graph if passes else graph
    assert compiled.updates == graph.updates
    arrays = random_inputs(graph)
    results = []
    for executable in (ReferenceExecutable(graph), compile_graph(compiled)):
        replaced = [tensor.replaces for tensor in executable.outputs]
        inputs = [array.copy() for array in arrays]
        outputs = [
            inputs[place] if place >= 0 else np.empty_like(array)
            for place, array in zip(replaced, _outputs(executable, arrays), strict=True)
        ]
        for _ in range(2):
            executable.run_into(inputs, outputs)
        results.append(outputs)
    for actual, expected in zip(*results[::-1], strict=True):
        assert_close(actual, expected)


def _outputs(executable, arrays):
    found = executable(*arrays)
    return found if isinstance(found, tuple) else (found,)


def test_a_call_leaves_its_arguments_as_they_are() -> None:
    executable = compile_graph(parse(GRAPHS["momentum"]))
    arrays = random_inputs(parse(GRAPHS["momentum"]))
    before = [array.copy() for array in arrays]
    m_new, *_ = executable(*arrays)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert_close(m_new, before[2] * 0.9 + before[0])


def test_no_copy_is_made_where_none_is_needed() -> None:
    plan = lower_graph(parse(GRAPHS["momentum"]), find_target())
    assert not any(launch.kernel.name.startswith("copy") for launch in plan.launches)
    assert not any(buffer.place == "arena" for buffer in plan.buffers)


def test_an_equal_dtype_that_is_another_object_makes_no_copy() -> None:
    executable = compile_graph(parse(GRAPHS["nothing changes"]))
    a = np.zeros(4, np.dtype("float32", copy=True))
    assert a.dtype is not np.dtype("float32")
    executable.run_into([a], [a])


def test_another_array_than_the_inputs_is_refused() -> None:
    executable = compile_graph(parse(GRAPHS["nothing changes"]))
    a = np.zeros(4, np.float32)
    with pytest.raises(InputError, match="which it replaces"):
        executable.run_into([a], [a.copy()])


@pytest.mark.parametrize(
    ("update", "error"),
    [("a=0, b=0", InternalError), ("a=5", InternalError), ("a=1", ShapeError)],
)
def test_updates_fit(update: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse(f"def f(a: f32[4], b: f32[4], c: f32[5]):\n    update({update})\n    return b, c\n")
