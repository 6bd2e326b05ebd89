"""The section of a library that holds its weights.

LLVM makes it empty, so that code does not depend on the values of weights; then they are put
behind the object file, and its table of sections says that they are there.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kerac.backends.llvm.memory import ALIGNMENT
from kerac.backends.llvm.plan import Later
from kerac.ir.errors import InternalError

if TYPE_CHECKING:
    from kerac.backends.llvm.module import Weights

SECTION = ".rodata.kerac_weights"


def weights_assembly(symbol: str, size: int) -> str:
    """Module-level assembly with the empty section; `symbol` is where it begins."""
    lines = [
        f".section {SECTION},\\22a\\22,@progbits",
        f".globl {symbol}",
        f".hidden {symbol}",
        f".type {symbol},@object",
        f".balign {ALIGNMENT}",
        f"{symbol}:",
        f".size {symbol}, {max(size, 1)}",
        ".text",
    ]
    return "\n".join(f'module asm "{line}"' for line in lines)


def fill_section(path: Path, weights: Weights) -> None:
    """Put the weights behind the object file at `path`, into its section for them."""
    with path.open("r+b") as file:
        entry, order = _find_section(file)
        end = file.seek(0, 2)
        start = -(-end // ALIGNMENT) * ALIGNMENT
        size = max(weights.size, 1)
        for offset, array in weights.arrays():
            file.seek(start + offset)
            made = array.make() if isinstance(array, Later) else np.ascontiguousarray(array)
            file.write(made.reshape(-1).view(np.uint8).data)
        file.truncate(start + size)
        file.seek(entry + 24)
        file.write(struct.pack(f"{order}QQ", start, size))


def _find_section(file: BinaryIO) -> tuple[int, str]:
    """Where the entry of the section begins in the table, and the order of bytes."""
    header = file.read(64)
    order = "<" if header[5] == 1 else ">"
    (table,) = struct.unpack_from(f"{order}Q", header, 40)
    size, count, names = struct.unpack_from(f"{order}HHH", header, 58)
    file.seek(table)
    entries = file.read(size * count)
    (strings,) = struct.unpack_from(f"{order}Q", entries, size * names + 24)
    wanted = SECTION.encode() + b"\0"
    for number in range(count):
        (name,) = struct.unpack_from(f"{order}I", entries, size * number)
        file.seek(strings + name)
        if file.read(len(wanted)) == wanted:
            return table + size * number, order
    raise InternalError(f"LLVM made an object without the section {SECTION}")
