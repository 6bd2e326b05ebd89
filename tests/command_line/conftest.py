"""Running the command in this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from kerac.command_line.application import application

MLP = """
def mlp(x: f32[N, 3]):
    kernel: f32[3, 2] = constant([[1.0, -1.0], [0.5, 2.0], [-1.0, 0.25]])  # hidden
    bias: f32[2] = constant([0.0, 1.0])  # hidden
    hidden = dense(x, kernel, bias=bias)  # hidden
    activation = relu(hidden)  # activation
    matrix: f32[2, 3] = constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])  # scores
    scores = matmul(activation, matrix)  # scores
    probabilities = softmax(scores, axis=1)  # probabilities
    return probabilities
"""
TWO = """
def two(left: f32[N, T], right: f32[N, T]):
    sum = add(left, right)  # sum
    difference = subtract(left, right)  # difference
    return sum, difference
"""

Run = Callable[..., Result]


@pytest.fixture
def kerac() -> Run:
    """`kerac("info", path)` runs the command; the result has stdout, stderr and exit_code."""

    def run(*arguments: object, input: bytes | None = None) -> Result:
        return CliRunner().invoke(application, list(map(str, arguments)), input=input)

    return run


@pytest.fixture
def mlp(tmp_path: Path) -> Path:
    path = tmp_path / "mlp.kir"
    path.write_text(MLP, encoding="utf-8")
    return path


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.kir"
    path.write_text(TWO, encoding="utf-8")
    return path


@pytest.fixture
def x(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.array([[1, 2, 3], [-1, 0, 1]], np.float32))
    return path


def reference_mlp(x: np.ndarray) -> np.ndarray:
    hidden = np.maximum(x @ [[1, -1], [0.5, 2], [-1, 0.25]] + [0, 1], 0)
    exponents = np.exp(hidden @ [[1, 2, 3], [4, 5, 6]])
    return exponents / exponents.sum(axis=1, keepdims=True)
