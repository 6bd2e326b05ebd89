"""Windows and pairs of words, beside Keras's own functions."""

import random

import numpy as np
import pytest
from keras.src.legacy.preprocessing import sequence as reference

from kerac.ir.errors import CompileError
from kerac.preprocessing import sequence
from kerac.utils import Sequence


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"sampling_rate": 2, "stride": 3},
        {"reverse": True, "start_index": 5, "end_index": 30},
        {"shuffle": True},
    ],
)
def test_windows(arguments: dict) -> None:
    data = np.random.default_rng(0).normal(size=(50, 3))
    targets = np.arange(50)
    ours = sequence.TimeseriesGenerator(data, targets, 7, batch_size=4, **arguments)
    theirs = reference.TimeseriesGenerator(data, targets, 7, batch_size=4, **arguments)
    assert isinstance(ours, Sequence)
    assert len(ours) == len(theirs)
    for index in range(len(ours)):
        batches = []
        for generator in (ours, theirs):
            np.random.seed(index)  # noqa: NPY002
            batches.append(generator[index])
        for found, expected in zip(*batches, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_windows_that_do_not_fit() -> None:
    with pytest.raises(CompileError, match="3 steps, but targets have 2"):
        sequence.TimeseriesGenerator([1, 2, 3], [1, 2], 1)
    with pytest.raises(CompileError, match="ends before step 9, but the last step is 2"):
        sequence.TimeseriesGenerator([1, 2, 3], [1, 2, 3], 9)


@pytest.mark.filterwarnings("ignore:non-integer arguments")    # Keras's own
@pytest.mark.parametrize("categorical", [False, True])
@pytest.mark.parametrize("seed", [None, 4])
def test_skipgrams(categorical: bool, seed: int | None) -> None:
    words = np.random.default_rng(1).integers(0, 9, 30).tolist()
    table = sequence.make_sampling_table(9, 1e-3)
    np.testing.assert_allclose(table, reference.make_sampling_table(9, 1e-3))
    results = []
    for module in (sequence, reference):
        random.seed(7)
        results.append(
            module.skipgrams(
                words, 9, 2, sampling_table=table, categorical=categorical, seed=seed,
                negative_samples=0.5,
            )
        )  # fmt: skip
    assert results[0] == results[1]
