"""Bytes of a file at addresses, read only inside its bounds and inside a budget."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from kerac.ir.errors import FormatError


@dataclass(frozen=True)
class Window:
    """A part of a file, which is read as if it were a file of its own."""

    path: str | os.PathLike[str]
    start: int
    size: int
    identity: tuple[int, ...]
    """What `identity_of` says of the file that it was found in."""


FileSource = str | os.PathLike[str] | bytes
StorageSource = FileSource | Window


def source_name(source: StorageSource) -> str:
    """Return how messages call the file."""
    if isinstance(source, Window):
        source = source.path
    return "the given bytes" if isinstance(source, bytes) else os.fspath(source)


def identity_of(result: os.stat_result) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    return result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns


def unreadable(source: StorageSource, error: OSError) -> FormatError:
    """Return the error for a file that the system does not let us read."""
    return FormatError(
        f"{source_name(source)}: cannot be read: {error.strerror or error}",
        remedy="Check the name and its permissions.",
    )


class Storage:
    """Where the bytes are: in memory, or in a file that is open only inside `opened()`."""

    def __init__(self, source: StorageSource) -> None:
        self.source = source
        self._file: BinaryIO | None = None
        self._identity: tuple[int, ...] | None = None
        self._start = 0
        if isinstance(source, bytes):
            self.size = len(source)
            return
        if isinstance(source, Window):
            self._start, self.size, self._identity = source.start, source.size, source.identity
            return
        try:
            result = os.stat(source)
        except OSError as error:
            raise unreadable(source, error) from None
        if not stat.S_ISREG(result.st_mode):
            raise FormatError(f"{source_name(source)}: is not a file")
        self._identity = identity_of(result)
        self.size = result.st_size

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Keep the file open; what is read must be the file that was there at first."""
        if isinstance(self.source, bytes) or self._file is not None:
            yield
            return
        try:
            path = self.source.path if isinstance(self.source, Window) else self.source
            file = open(path, "rb")  # noqa: SIM115
        except OSError as error:
            raise unreadable(self.source, error) from None
        with file:
            if identity_of(os.fstat(file.fileno())) != self._identity:
                raise FormatError(
                    f"{source_name(self.source)}: changed while it was read",
                    remedy="Read it again when nothing writes to it any more.",
                )
            self._file = file
            try:
                yield
            finally:
                self._file = None

    def read_at(self, address: int, size: int) -> bytes:
        """Return exactly `size` bytes from `address` on, or fail."""
        if address < 0 or size < 0 or address + size > self.size:
            raise FormatError(
                f"{source_name(self.source)}: {size} bytes are read from byte {address} on, "
                f"but the file has {self.size} bytes",
                remedy="The file is truncated or damaged: copy or save it again.",
            )
        if isinstance(self.source, bytes):
            return self.source[address : address + size]
        with self.opened():
            file = self._file
            if file is None:
                raise RuntimeError("an opened storage has a file")
            try:
                file.seek(self._start + address)
                data = file.read(size)
            except OSError as error:
                raise unreadable(self.source, error) from None
        if len(data) != size:
            raise FormatError(f"{source_name(self.source)}: became shorter while it was read")
        return data


class BoundedFile:
    """A storage as a file object that ends where the file or its budget ends."""

    def __init__(self, storage: Storage, budget: int) -> None:
        self._storage = storage
        self.size = storage.size
        self._position = 0
        self._bytes = budget
        # Structures are rarely smaller than 8 bytes, and a sound reader takes each of them once or
        # twice.
        self._calls = budget // 8 + 10_000

    @contextlib.contextmanager
    def portion(self, most_bytes: int, most_calls: int) -> Iterator[None]:
        """Allow only a part of the budget inside the block."""
        left_bytes = max(self._bytes - most_bytes, 0)
        left_calls = max(self._calls - most_calls, 0)
        self._bytes -= left_bytes
        self._calls -= left_calls
        yield
        self._bytes += left_bytes
        self._calls += left_calls

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a byte, counted from the start."""
        if whence != 0:
            raise FormatError("addresses in an HDF5 file count from its start")
        self._position = offset
        return offset

    def tell(self) -> int:
        """Return where the next read starts."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return exactly `size` bytes."""
        self._calls -= 1
        self._bytes -= size
        if self._bytes < 0 or self._calls < 0:
            raise FormatError("its structures are larger than the limit, or are read over and over")
        data = self._storage.read_at(self._position, size)
        self._position += size
        return data
