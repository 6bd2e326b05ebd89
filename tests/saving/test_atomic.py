"""Files appear whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kerac.ir.errors import CompileError
from kerac.saving.atomic import atomic_output, atomic_path


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    with atomic_output(path) as file:
        file.write(b"ab")
        assert not path.exists()
        file.seek(0)
        file.write(b"A")
    assert path.read_bytes() == b"Ab"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_new_files_follow_the_umask_and_old_ones_keep_their_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_output(tmp_path / "new"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    with atomic_output(tmp_path / "new"):
        pass
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_after_an_error_nothing_has_changed(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic_output(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_links_keep_pointing_where_they_point(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with atomic_output(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_programs_can_write_to_a_path(tmp_path: Path) -> None:
    path = tmp_path / "library.so"
    with atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        # A linker removes the file and makes another one.
        temporary.unlink()
        temporary.write_bytes(b"code")
        temporary.chmod(0o755)
    assert path.read_bytes() == b"code"
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def refusal(path: Path | str) -> str:
    with pytest.raises(CompileError) as caught, atomic_output(path) as file:
        file.write(b"x" * 100_000)
    return str(caught.value)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    assert "cannot be written, because it is a folder" in refusal(tmp_path)
    message = refusal(tmp_path / "missing" / "out.bin")
    assert f"cannot be written, because there is no folder {tmp_path / 'missing'}" in message
    assert "cannot be written, because it holds a zero byte" in refusal("a\0b")
    assert "cannot be written: File name too long" in refusal(tmp_path / ("x" * 300))


def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("the user who runs the tests may write everywhere")
    assert "cannot be written: Permission denied" in refusal(tmp_path / "out.bin")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_error() -> None:
    assert refusal("/dev/full").startswith("/dev/full: cannot be written: No space left on device")


def test_devices_are_written_through() -> None:
    with atomic_output(os.devnull) as file:
        file.write(b"x")
    assert not Path(os.devnull).is_file()


def test_errors_about_other_files_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_output(tmp_path / "out.bin"):
        (tmp_path / "input").read_bytes()
    assert os.listdir(tmp_path) == []
