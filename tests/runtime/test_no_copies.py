"""Arrays that are dense and of the right dtype are read where they lie, by calls and `predict`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import kerac
from kerac.runtime import Executable
from kerac.runtime.arguments import Array


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Array]:
    """The arrays that compiled code is given."""
    given: list[Array] = []
    run = Executable._run

    def noted(self: Executable, plan: Any, arrays: Sequence[Array], *rest: Any) -> None:
        given.extend(arrays)
        run(self, plan, arrays, *rest)

    monkeypatch.setattr(Executable, "_run", noted)
    return given


def make_model() -> Any:
    return kerac.Sequential([kerac.Input((5,)), kerac.layers.Dense(3)])


def test_a_call_reads_the_array_itself(read: list[Array]) -> None:
    x = np.ones((4, 5), np.float32)
    make_model().executable()(x)
    assert [array is x for array in read] == [True]


def test_predict_reads_parts_of_the_array(read: list[Array]) -> None:
    x = np.random.default_rng(0).normal(size=(10, 5)).astype(np.float32)
    model = make_model()
    y = model.predict(x, batch_size=4, verbose=0)
    assert [len(array) for array in read] == [4, 4, 2]
    addresses = [array.ctypes.data - x.ctypes.data for array in read]
    assert addresses == [0, 4 * x.strides[0], 8 * x.strides[0]]
    assert np.array_equal(y, model.executable()(x))


def test_outputs_are_written_in_place(read: list[Array]) -> None:
    x, y = np.ones((4, 5), np.float32), np.zeros((8, 3), np.float32)
    executable = make_model().executable()
    executable.run_into([x], [y[2:6]])
    assert np.array_equal(y[2:6], executable(x))
    assert not y[:2].any()
    assert not y[6:].any()
