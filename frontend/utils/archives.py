"""Unpacking tar and zip archives that may be hostile."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

from kerac.ir.errors import FormatError

MOST_BYTES = 64 << 30
MOST_MEMBERS = 10_000_000


def unpack(archive: Path, folder: Path, kind: str | None = "auto") -> Path:
    """Unpack into `folder`, which appears whole; it is kept if it is newer than the archive."""
    if folder.is_dir() and folder.stat().st_mtime >= archive.stat().st_mtime:
        return folder
    unfinished = folder.with_name(f".{folder.name}.arriving-{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        if kind in ("auto", "tar") and tarfile.is_tarfile(archive):
            _unpack_tar(archive, unfinished)
        elif kind in ("auto", "zip") and zipfile.is_zipfile(archive):
            _unpack_zip(archive, unfinished)
        else:
            raise FormatError(f"{archive}: is no archive of the kind {kind!r}")
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.replace(folder)
        os.utime(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise FormatError(f"{archive}: cannot be unpacked: {error}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _unpack_tar(path: Path, folder: Path) -> None:
    with tarfile.open(path) as archive:
        total = 0
        for number, member in enumerate(archive):
            total += member.size
            _refuse_excess(path, number, total)
            # refuses devices, absolute names, and names and links that lead out of the folder
            archive.extract(member, folder, filter="data")


def _unpack_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _refuse_excess(path, len(members), sum(member.file_size for member in members))
        for member in members:
            inside = (folder / member.filename).resolve().is_relative_to(folder.resolve())
            if not inside or stat.S_ISLNK(member.external_attr >> 16):
                raise FormatError(f"{path}: holds {member.filename!r}, which leads out of it")
            archive.extract(member, folder)


def _refuse_excess(path: Path, members: int, size: int) -> None:
    if members > MOST_MEMBERS or size > MOST_BYTES:
        raise FormatError(f"{path}: holds {members} files of {size} bytes, which is too much")
