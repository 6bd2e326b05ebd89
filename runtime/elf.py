"""What can be known of a shared library without loading it.

Loading runs its code, and loading a truncated one crashes the process.
"""

from __future__ import annotations

import os
import platform
import struct
import sys
from dataclasses import dataclass
from typing import BinaryIO

from kerac.runtime.errors import LibraryError

# name that the system gives this machine -> e_machine
MACHINES = {
    "x86_64": 62, "amd64": 62, "aarch64": 183, "arm64": 183, "riscv64": 243, "ppc64le": 21,
    "s390x": 22, "loongarch64": 258,
}  # fmt: skip
NAMES = {3: "i386", 40: "arm", **{code: name for name, code in reversed(MACHINES.items())}}

_SHARED_OBJECT = 3
_RELOCATABLE = 1
_PT_LOAD = 1
_SHT_DYNSYM = 11
_SYMBOL_SIZE = 24
_TABLE_LIMIT = 1 << 26  # bytes of a table that is read whole


@dataclass(frozen=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int


def check_library(path: str | os.PathLike[str], symbol: str) -> None:
    """Raise LibraryError unless `path` is a library for this machine that exports `symbol`."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            sections, order = _check_header(path, file, size)
            names = _dynamic_symbols(file, sections, order)
    except OSError as error:
        reason = error.strerror or error
        raise LibraryError(f"{os.fspath(path)}: cannot be read: {reason}") from None
    except (struct.error, IndexError, OverflowError):
        raise _damaged(path) from None
    if names is not None and symbol not in names:
        raise LibraryError(
            f"{os.fspath(path)}: is a library, but not made by kerac: it exports no {symbol}",
            remedy="Make one by `kerac compile MODEL -o OUT.so`.",
        )


def _check_header(
    path: str | os.PathLike[str], file: BinaryIO, size: int
) -> tuple[list[_Section], str]:
    """The sections and the byte order; all that is mapped at load must lie in the file."""
    start = file.read(64)
    if start[:4] != b"\x7fELF":
        raise LibraryError(
            f"{os.fspath(path)}: is not a shared library",
            remedy="Make one by `kerac compile MODEL -o OUT.so`.",
        )
    order = "<" if start[5] == 1 else ">"
    kind, machine = struct.unpack_from(f"{order}HH", start, 16)
    _check_machine(path, start[4], order, machine)
    if kind != _SHARED_OBJECT:
        what = "an object file" if kind == _RELOCATABLE else f"an ELF file of type {kind}"
        raise LibraryError(
            f"{os.fspath(path)}: is {what}, but only a shared library can be loaded",
            remedy="Link it, or make a library by `kerac compile MODEL -o OUT.so`.",
        )
    programs, table = struct.unpack_from(f"{order}QQ", start, 32)
    entry, count, section_entry, section_count = struct.unpack_from(f"{order}HHHH", start, 54)
    for number in range(count):
        raw = _read(file, programs + number * entry, 40)
        segment, _, offset, _, _, length = struct.unpack(f"{order}IIQQQQ", raw)
        if segment == _PT_LOAD and offset + length > size:
            raise _damaged(path)
    sections = []
    for number in range(section_count):
        raw = _read(file, table + number * section_entry, 64)
        _, section_kind, _, _, offset, length, link = struct.unpack_from(f"{order}IIQQQQI", raw)
        sections.append(_Section(section_kind, offset, length, link))
    return sections, order


def _check_machine(path: str | os.PathLike[str], width: int, order: str, machine: int) -> None:
    here = MACHINES.get(platform.machine().lower())
    same_order = order == ("<" if sys.byteorder == "little" else ">")
    if width != 2 or not same_order or (here is not None and machine != here):
        found = NAMES.get(machine, f"machine number {machine}")
        raise LibraryError(
            f"{os.fspath(path)}: is a library for {found} with {32 * width} bits, "
            f"but this machine is {platform.machine()} with 64 bits",
            remedy="Compile the model on this machine, or for its target.",
        )


def _dynamic_symbols(file: BinaryIO, sections: list[_Section], order: str) -> set[str] | None:
    """Names that the library defines for others; None where its section table was stripped."""
    table = next((section for section in sections if section.kind == _SHT_DYNSYM), None)
    if table is None:
        return None
    symbols = _read(file, table.offset, table.size)
    strings = _read(file, sections[table.link].offset, sections[table.link].size)
    names = set()
    for place in range(0, len(symbols) - _SYMBOL_SIZE + 1, _SYMBOL_SIZE):
        name, _, _, section = struct.unpack_from(f"{order}IBBH", symbols, place)
        if section:  # 0: wanted from elsewhere
            names.add(strings[name : strings.index(0, name)].decode(errors="replace"))
    return names


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    if size > _TABLE_LIMIT:
        raise OverflowError
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise IndexError
    return data


def _damaged(path: str | os.PathLike[str]) -> LibraryError:
    return LibraryError(
        f"{os.fspath(path)}: is a shared library, but truncated or damaged",
        remedy="Compile the model again.",
    )
