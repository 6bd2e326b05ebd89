"""`.keras` archives: zip files of `config.json`, `metadata.json` and `model.weights.h5`.

Nothing is extracted to disk. A member is decompressed in pieces and never beyond what the archive
declares of it, and what it declares is checked before the first piece.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from kerac.ir.errors import FormatError
from kerac.saving.limits import DEFAULT_LIMITS, MEBI, Limits, readable_size
from kerac.saving.source import FileSource, Window, identity_of, source_name, unreadable

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
ASSETS, VOCABULARY = "assets/", "vocabulary.txt"
OTHER_WEIGHTS = {
    "model.weights.npz": "its weights are in NumPy's format",
    "model.weights.json": "its weights are spread over several files",
}
PIECE = 1 * MEBI
LARGEST_DIRECTORY_ENTRY = 1 << 10
END_RECORD, END_RECORD_SIZE, LONGEST_COMMENT = b"PK\5\6", 22, 0xFFFF
LARGE_END_RECORD_SIZE, LOCATOR, LOCATOR_SIZE = 56, b"PK\6\7", 20
LOCAL_NAME = 26  # where the lengths of name and extra field are in what stands before a member
IS_ENCRYPTED = 1


@dataclass(frozen=True)
class Archive:
    """The members of a `.keras` archive."""

    label: str
    config: bytes
    metadata: bytes | None
    weights: bytes | Window
    """The file of weights, or where it lies in the archive uncompressed."""
    assets: Mapping[str, str] = field(default_factory=dict)
    """Vocabularies by the path of their member below `assets/`."""

    @property
    def weights_label(self) -> str:
        """How messages call the weights file."""
        return f"{self.label}:{WEIGHTS}"


def read_archive(source: FileSource, limits: Limits = DEFAULT_LIMITS) -> Archive:
    """Read the three members of a `.keras` archive, given as a path or as its bytes."""
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), source, limits)
    try:
        with open(source, "rb") as file:
            return _read(file, source, limits)
    except OSError as error:
        raise unreadable(source, error) from None


def read_folder(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Archive:
    """Read what Keras writes for `zipped=False`: a folder with the members as files."""
    folder, label = Path(path), os.fspath(path)

    def read(name: str, limit: int) -> bytes:
        file = folder / name
        if not file.exists():
            raise _missing(label, name, sorted(entry.name for entry in folder.iterdir()))
        if file.is_symlink() or not file.is_file():
            raise FormatError(
                f"{label}: {name} must be a file of this folder, but it is a link or a folder"
            )
        size = file.stat().st_size
        if size > limit:
            raise _too_large(label, name, size, limit)
        return file.read_bytes()

    try:
        metadata = read(METADATA, limits.metadata_bytes) if (folder / METADATA).exists() else None
        found = (x.relative_to(folder).as_posix() for x in folder.rglob(VOCABULARY))
        return Archive(
            label,
            read(CONFIG, limits.config_bytes),
            metadata,
            read(WEIGHTS, limits.weights_bytes),
            _assets(found, read, label, limits),
        )
    except OSError as error:
        raise unreadable(path, error) from None


def member_names(source: FileSource, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    """Return the names in a zip file, or an empty list if it cannot be read as one."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            _check_directory(file, source_name(source), limits)
            with zipfile.ZipFile(file) as archive:
                return archive.namelist()
    # As in _read: the caller asks what the file may be, and it may be anything.
    except Exception:
        return []


def _read(file: BinaryIO, source: FileSource, limits: Limits) -> Archive:
    label = source_name(source)
    if file.read(4) != b"PK\3\4":
        raise FormatError(
            f"{label}: is not a zip file, but a .keras archive is one",
            remedy="Save the model again with model.save(path), or copy the file again as binary.",
        )
    _check_directory(file, label, limits)
    try:
        with zipfile.ZipFile(file) as archive:
            infos = _checked_members(archive, label)
            return Archive(
                label,
                _member(archive, infos, CONFIG, label, limits.config_bytes, limits),
                _member(archive, infos, METADATA, label, limits.metadata_bytes, limits)
                if METADATA in infos
                else None,
                _weights(archive, infos, label, limits, source),
                _assets(
                    infos,
                    lambda name, limit: _member(archive, infos, name, label, limit, limits),
                    label,
                    limits,
                ),
            )
    except FormatError:
        raise
    # zipfile meets damage with whatever error it stumbles over: all of them say the same to a user.
    except Exception as error:
        raise _damaged(label, str(error) or type(error).__name__) from None


def _assets(
    names: Iterable[str], read: Callable[[str, int], bytes], label: str, limits: Limits
) -> dict[str, str]:
    """The vocabularies among members, which may have so many bytes together."""
    found: dict[str, str] = {}
    left = limits.asset_bytes
    for name in sorted(names):
        if name.startswith(ASSETS) and name.endswith(f"/{VOCABULARY}"):
            data = read(name, left)
            left -= len(data)
            try:
                found[name.removeprefix(ASSETS)] = data.decode("utf-8")
            except UnicodeDecodeError as error:
                place = f"byte {error.start}"
                raise FormatError(f"{label}: {name} is not text in UTF-8 ({place})") from None
    return found


def _damaged(label: str, reason: str) -> FormatError:
    return FormatError(
        f"{label}: begins as a zip file, but is truncated or damaged",
        details=(reason,),
        remedy="Copy the file again, or save the model again.",
    )


def _check_directory(file: BinaryIO, label: str, limits: Limits) -> None:
    """Check the size of the directory, which zipfile reads in one piece."""
    size = file.seek(0, os.SEEK_END)
    tail_size = min(size, END_RECORD_SIZE + LONGEST_COMMENT)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    at = tail.rfind(END_RECORD)
    if at < 0 or len(tail) - at < END_RECORD_SIZE:
        raise _damaged(label, "its directory, which stands at the end, is missing")
    sizes = list(struct.unpack_from("<I", tail, at + 12))
    if tail[max(at - LOCATOR_SIZE, 0) :].startswith(LOCATOR):
        # Archives beyond 4 GiB have the true size in a second record before this one.
        record = tail[max(at - LOCATOR_SIZE - LARGE_END_RECORD_SIZE, 0) : at]
        sizes += struct.unpack_from("<Q", record, 40) if len(record) > LARGE_END_RECORD_SIZE else ()
        sizes = [size for size in sizes if size != 0xFFFF_FFFF]
    limit = limits.members * LARGEST_DIRECTORY_ENTRY
    if max(sizes, default=0) > limit:
        raise _too_large(label, "its directory", max(sizes), limit)
    file.seek(0)


def _checked_members(archive: zipfile.ZipFile, label: str) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    # What zipfile calls `filename` ends at a NUL and may have other separators; the original tells.
    names = [info.orig_filename for info in infos]
    for name, info in zip(names, infos, strict=True):
        parts = name.removesuffix("/").split("/")
        if (
            name != info.filename
            or "\\" in name
            or ":" in name
            or any(p in ("", ".", "..") for p in parts)
        ):
            raise FormatError(
                f"{label}: has a member named {name!r}, "
                "but names must be plain paths inside the archive",
                remedy="The file may be hostile. Save the model again.",
            )
        if info.flag_bits & IS_ENCRYPTED:
            raise FormatError(f"{label}: {name} is encrypted, but a .keras archive is not")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FormatError(
            f"{label}: has {', '.join(twice)} more than once, but each member must be there once",
            remedy="The file may be hostile. Save the model again.",
        )
    return dict(zip(names, infos, strict=True))


def _member(
    archive: zipfile.ZipFile,
    infos: dict[str, zipfile.ZipInfo],
    name: str,
    label: str,
    limit: int,
    limits: Limits,
) -> bytes:
    info = _checked_info(infos, name, label, limit, limits)
    return b"".join(_pieces(archive, info, label))


def _checked_info(
    infos: dict[str, zipfile.ZipInfo], name: str, label: str, limit: int, limits: Limits
) -> zipfile.ZipInfo:
    """What the archive says of a member that may be read."""
    info = infos.get(name)
    if info is None:
        raise _missing(label, name, sorted(infos))
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(
            f"{label}: {name} is compressed by method {info.compress_type}, "
            "but only deflate is read"
        )
    if info.file_size > limit:
        raise _too_large(label, name, info.file_size, limit)
    if info.file_size > limits.most_from(info.compress_size):
        raise FormatError(
            f"{label}: {name} grows from {readable_size(info.compress_size)} "
            f"to {readable_size(info.file_size)}, "
            f"but at most {limits.expansion} times as much is allowed",
            remedy="The file may be hostile. Pass Limits(expansion=...) if it is to be trusted.",
        )
    return info


def _weights(
    archive: zipfile.ZipFile,
    infos: dict[str, zipfile.ZipInfo],
    label: str,
    limits: Limits,
    source: FileSource,
) -> bytes | Window:
    """The member of weights; where it can stay in the file it is only checked."""
    file = archive.fp
    if isinstance(source, bytes) or file is None:
        return _member(archive, infos, WEIGHTS, label, limits.weights_bytes, limits)
    info = _checked_info(infos, WEIGHTS, label, limits.weights_bytes, limits)
    if info.compress_type != zipfile.ZIP_STORED:
        return _member(archive, infos, WEIGHTS, label, limits.weights_bytes, limits)
    for _ in _pieces(archive, info, label):
        pass
    file.seek(info.header_offset + LOCAL_NAME)
    lengths = struct.unpack("<HH", file.read(4))
    start = info.header_offset + LOCAL_NAME + 4 + sum(lengths)
    return Window(source, start, info.file_size, identity_of(os.fstat(file.fileno())))


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo, label: str) -> Iterator[bytes]:
    """The bytes of a member, whose number and checksum are those that it declares."""
    size = 0
    with archive.open(info) as stream:
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > info.file_size:
                raise FormatError(
                    f"{label}: {info.filename} is larger than the {info.file_size} bytes "
                    "that it declares"
                )
            yield piece
    if size != info.file_size:
        raise FormatError(
            f"{label}: {info.filename} has {size} bytes, but declares {info.file_size}"
        )


def _missing(label: str, name: str, found: list[str]) -> FormatError:
    for other, fact in OTHER_WEIGHTS.items():
        if name == WEIGHTS and other in found:
            return FormatError(
                f"{label}: {fact} ({other}), but kerac reads {WEIGHTS}",
                remedy="Save the model again with model.save(path).",
            )
    shown = ", ".join(found[:10]) + (", ..." if len(found) > 10 else "")
    return FormatError(
        f"{label}: has no {name}",
        details=(f"it has: {shown or 'nothing'}",),
        remedy="A .keras archive holds config.json and model.weights.h5: "
        "save the model again with model.save(path).",
    )


def _too_large(label: str, name: str, size: int, limit: int) -> FormatError:
    return FormatError(
        f"{label}: {name} has {readable_size(size)}, but the limit is {readable_size(limit)}",
        remedy="Pass higher Limits if the file is to be trusted.",
    )
