"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kerac.ir.errors import CompileError


@contextlib.contextmanager
def atomic_output(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a binary file to write; `path` becomes it when the block ends without an error.

    Until then, and after any error, `path` is what it was before.
    """
    with atomic_path(path) as temporary:
        try:
            with temporary.open("w+b") as file:
                yield file
        except OSError as error:
            if error.filename is not None:  # about another file than the one that is written
                raise
            raise _failure(path, error) from None


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the path of an empty file, for programs that write it themselves, as a linker does."""
    try:
        target = _target(path)
        is_device = target.exists() and not target.is_file()
        folder = Path(tempfile.gettempdir()) if is_device else target.parent
        temporary = folder / f".{secrets.token_hex(8)}.partial"
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise _failure(path, error) from None
    try:
        yield temporary
        try:
            _copy_to_device(temporary, target) if is_device else _move(temporary, target)
        except OSError as error:
            raise _failure(path, error) from None
    finally:
        # It is gone where it was moved, and where a linker removed its unfinished output.
        with contextlib.suppress(OSError):
            temporary.unlink()


def _target(path: str | os.PathLike[str]) -> Path:
    """Return what `path` names. A link keeps pointing where it points: its target is replaced."""
    name = os.fspath(path)
    if "\0" in name:
        raise CompileError(f"{name!r}: cannot be written, because it holds a zero byte")
    target = Path(os.path.realpath(name))
    if target.is_dir():
        raise CompileError(
            f"{name}: cannot be written, because it is a folder", remedy="Name a file in it."
        )
    if not target.parent.is_dir():
        raise CompileError(
            f"{name}: cannot be written, because there is no folder {target.parent}",
            remedy="Create the folder, or name another one.",
        )
    return target


def _copy_to_device(temporary: Path, target: Path) -> None:
    with temporary.open("rb") as source, target.open("wb") as device:
        shutil.copyfileobj(source, device)


def _move(temporary: Path, target: Path) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    if target.exists():
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    temporary.replace(target)
    # The new name survives a power failure only once the folder is on disk too; not every system
    # can do that.
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _failure(path: str | os.PathLike[str], error: OSError) -> CompileError:
    return CompileError(
        f"{os.fspath(path)}: cannot be written: {error.strerror or error}",
        remedy="Nothing was written. Check the folder's permissions and the free space.",
    )
