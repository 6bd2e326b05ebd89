"""Settings and fixtures that all tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from benchmarks import models

# Keras reads its backend once, on import; jax is told not to look for accelerators.
os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
# Tests see what LLVM makes now, in their child processes as well.
os.environ["KERAC_CACHE"] = "off"

hypothesis.settings.register_profile("kerac", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("kerac")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")
    parser.addoption(
        "--exhaustive",
        action="store_true",
        help="train each network with each optimizer, compare each network of kerac.applications",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` compares text with the file `golden/<name>` beside the test."""

    def check(name: str, text: str) -> None:
        path = Path(request.path).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if not path.exists():
            pytest.fail(f"{path} does not exist; write it with --update-golden and read it")
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture(scope="session")
def network_file() -> Callable[[str], Path]:
    """`network_file("resnet50")` is the .keras file of a network in benchmarks/models.py."""
    return lambda name: models.save(name, models.cache_folder())
