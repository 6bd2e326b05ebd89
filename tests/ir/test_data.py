"""Arrays inside a graph, and how they are written."""

import numpy as np
import pytest

from kerac.ir import Data, TensorType


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.1, "0.1"), (2.0, "2.0"), (1e-20, "1.0e-20"), (-3.4e38, "-3.4e+38"), (np.inf, "inf")],
)
def test_numbers_are_written_as_short_as_they_read_back(number: float, text: str) -> None:
    scalar, vector = np.array(number, np.float32), np.array([number], np.float32)
    assert Data(scalar).text() == text
    assert Data(vector).text() == f"[{text}]"


@pytest.mark.parametrize("dtype", ["f16", "f32", "f64"])
def test_random_numbers_read_back(dtype: str) -> None:
    generator = np.random.default_rng(0)
    for exponent in range(-6, 5):
        type_ = TensorType(dtype)
        array = np.array(generator.normal() * 10.0**exponent, type_.numpy_dtype)
        read = Data.from_literal(float(Data(array).text()), type_)
        assert read.array == array


def test_data_is_compared_by_content() -> None:
    ones = Data(np.ones((3, 4), np.float32))
    assert ones == Data(np.ones((3, 4), np.float32))
    assert ones != Data(np.ones((4, 3), np.float32))
    assert ones != Data(np.ones((3, 4), np.float64))
    assert len({ones, Data(np.ones((3, 4), np.float32))}) == 1
