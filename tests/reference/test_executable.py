"""The reference is called as a compiled model is."""

import numpy as np
import pytest

from kerac.backends.reference import ReferenceExecutable
from kerac.ir import parse
from kerac.runtime.errors import InputError

GRAPH = parse(
    """
def model(x: f32[N, 4], y: i32[N, 2]):
    doubled = add(x, x)
    rest = slice(y, start=(0, 1), stop=(N, 2))
    stacked = concatenate(doubled, x, axis=0)
    return {"twice": doubled, "last": rest, "both": stacked}
"""
)
X = np.arange(8, dtype=np.float32).reshape(2, 4)
Y = np.arange(4, dtype=np.int32).reshape(2, 2)


def test_arguments_by_position_and_by_name() -> None:
    executable = ReferenceExecutable(GRAPH)
    twice, last, both = executable(X, Y)
    np.testing.assert_array_equal(twice, X * 2)
    np.testing.assert_array_equal(last, Y[:, 1:])
    np.testing.assert_array_equal(both, np.concatenate([X * 2, X]))
    for result, same in zip((twice, last, both), executable({"y": Y, "x": X}), strict=True):
        np.testing.assert_array_equal(result, same)


def test_one_output_is_no_tuple() -> None:
    executable = ReferenceExecutable(parse("def f(x: f32[2]):\n    return relu(x)\n"))
    np.testing.assert_array_equal(executable(np.float32([-1, 2])), np.float32([0, 2]))


def test_every_value() -> None:
    values = ReferenceExecutable(GRAPH).values(X, Y)
    assert set(values) == set(GRAPH.values)
    assert {value.name: array.shape for value, array in values.items()}["doubled"] == (2, 4)


def test_description() -> None:
    executable = ReferenceExecutable(GRAPH)
    assert executable.info.dim_names == ("N",)
    assert [(t.name, t.type) for t in executable.inputs] == [
        ("x", "f32[N, 4]"),
        ("y", "i32[N, 2]"),
    ]
    assert [(t.name, t.shape[0]) for t in executable.outputs] == [
        ("twice", -1),
        ("last", -1),
        ("both", -(2**63)),
    ]


def test_arrays_that_do_not_fit() -> None:
    executable = ReferenceExecutable(GRAPH)
    with pytest.raises(InputError, match="takes 2 inputs, but got 1"):
        executable(X)
    with pytest.raises(InputError, match="sets N to 1, but it is 2"):
        executable(X, Y[:1])
