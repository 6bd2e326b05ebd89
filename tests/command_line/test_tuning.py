"""The option `--tune`: what it says, and where it is refused."""

from pathlib import Path

import numpy as np
import pytest

import kerac as package
from tests.command_line.conftest import Run, reference_mlp


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAC_CACHE", str(tmp_path / "cache"))


def test_compile(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    library = tmp_path / "mlp.so"
    result = kerac("compile", mlp, "-o", library, "--target", "native", "--tune")
    assert result.exit_code == 0, result.stderr
    heading, *rows, summary, _ = result.stderr.splitlines()
    assert heading.split() == ["kernel", "default", "found", "gain"]
    assert [row.split()[0] for row in rows] == ["hidden", "scores"]
    assert summary.endswith("of 2 faster than by default")
    x = np.array([[1, 2, 3], [-1, 0, 1]], np.float32)
    np.testing.assert_allclose(package.load(library)(x), reference_mlp(x), rtol=1e-5)


def test_bench(kerac: Run, mlp: Path) -> None:
    result = kerac("bench", mlp, "--seconds", 0.01, "--no-peers", "--batch", 4, "--tune")
    assert result.exit_code == 0, result.stderr
    assert "faster than by default" in result.stderr
    assert mlp.stem in result.stdout


@pytest.mark.parametrize("options", [(), ("--target", "avx2"), ("--target", "native", "--train")])
def test_refused(kerac: Run, mlp: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    result = kerac("compile", mlp, "-o", tmp_path / "mlp.so", "--tune", *options)
    assert result.exit_code == 2
    assert "--tune is for inference on this machine" in result.stderr
