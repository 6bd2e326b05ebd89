"""`kerac cache`: where code is kept."""

from pathlib import Path

import pytest

from tests.command_line.conftest import Run


def test_shows_and_clears(
    kerac: Run, mlp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    monkeypatch.setenv("KERAC_CACHE", str(folder))
    assert " 0 kept" in kerac("cache").stdout
    kerac("compile", mlp, "-o", tmp_path / "mlp.o", "--target", "native")
    assert " 1 kept" in kerac("cache").stdout
    result = kerac("cache", "--clear")
    assert result.stdout == f"{folder / 'code'}  1 removed\n"
    assert " 0 kept" in kerac("cache").stdout


def test_says_why_it_is_not_used(
    kerac: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAC_CACHE", "off")
    assert kerac("cache").stdout == "off\n"
    monkeypatch.setenv("KERAC_CACHE", str(tmp_path))
    (tmp_path / "code").mkdir()
    (tmp_path / "code").chmod(0o755)
    assert "not used" in kerac("cache").stdout
