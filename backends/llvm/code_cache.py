"""Object code that was made before, in files of the user's cache folder.

An entry is named by a digest of all that code follows from: the text of its module, the target and
the versions of what made it. It begins with a checksum, so what is damaged is made anew. Entries
appear whole or not at all, whichever processes write them; the oldest make room for new ones.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from kerac.backends.llvm.information import producer
from kerac.backends.llvm.target import Target

VARIABLE = "KERAC_CACHE"
"""Names another folder, or is `off`."""
VERSION = 1  # changes with what is done to a module between its text and its code
LARGEST = 256 << 20  # bytes of all entries
CHECKSUM = 32  # bytes


@dataclass(frozen=True)
class CodeCache:
    """Entries in a folder that belongs to this user alone; without a folder there are none."""

    folder: Path | None
    largest: int = LARGEST

    @classmethod
    def of_user(cls) -> CodeCache:
        """The cache that the environment says."""
        chosen = os.environ.get(VARIABLE, "")
        if chosen == "off":
            return cls(None)
        home = os.environ.get("XDG_CACHE_HOME", "")
        try:
            base = Path(home) if os.path.isabs(home) else Path("~/.cache").expanduser()
        except RuntimeError:  # nobody's home is known
            return cls(None)
        return cls((Path(chosen) if chosen else base / "kerac") / "code")

    @property
    def is_trusted(self) -> bool:
        """Whether the folder is there, and no one else can have put anything into it."""
        if self.folder is None:
            return False
        try:
            status = self.folder.lstat()
        except OSError:
            return False
        is_own = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
        is_private = os.name == "nt" or not status.st_mode & 0o077
        return stat.S_ISDIR(status.st_mode) and is_own and is_private

    def get(self, key: str) -> bytes | None:
        """The code that was put under `key`, if it is still there and whole."""
        if self.folder is None or not self.is_trusted:
            return None
        path = self.folder / key
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            code = content[CHECKSUM:]
            if content[:CHECKSUM] == _checksum(key, code):
                with contextlib.suppress(OSError):  # the folder may be one to read from only
                    os.utime(path)  # the oldest is what was not used for the longest time
                return code
            path.unlink()
        return None

    def put(self, key: str, code: bytes) -> None:
        """Keep `code` under `key`; a cache that cannot be written stays as it is."""
        if self.folder is None or len(code) > self.largest:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.is_trusted:
                return
            number, name = tempfile.mkstemp(prefix="new-", dir=self.folder)
            try:
                with open(number, "wb") as file:
                    file.write(_checksum(key, code) + code)
                os.replace(name, self.folder / key)
            except OSError:
                os.unlink(name)
                raise
            self._make_room()

    def entries(self) -> Iterator[os.DirEntry[str]]:
        """The files of the folder."""
        if self.folder is not None and self.is_trusted:
            with os.scandir(self.folder) as found:
                yield from (entry for entry in found if entry.is_file(follow_symlinks=False))

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(status.st_size for _, status in self._dated())

    def clear(self) -> int:
        """Remove all entries; returns how many there were."""
        paths = [entry.path for entry in self.entries()]
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        return len(paths)

    def _dated(self) -> list[tuple[str, os.stat_result]]:
        """Paths and what is known of them, the oldest first."""
        found = []
        for entry in self.entries():
            with contextlib.suppress(FileNotFoundError):  # another process removes some as well
                found.append((entry.path, entry.stat(follow_symlinks=False)))
        return sorted(found, key=lambda pair: pair[1].st_mtime_ns)

    def _make_room(self) -> None:
        dated = self._dated()
        size = sum(status.st_size for _, status in dated)
        for path, status in dated:
            if size <= self.largest:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            size -= status.st_size


def key_of(text: str, target: Target) -> str:
    """The name of the code that is made of `text` for `target`."""
    from llvmlite import __version__, binding

    made_by = (VERSION, producer(), __version__, binding.llvm_version_info)
    head = json.dumps([made_by, asdict(target)])
    return sha256(f"{head}\n{text}".encode()).hexdigest()


def _checksum(key: str, code: bytes) -> bytes:
    digest = sha256(key.encode())
    digest.update(code)
    return digest.digest()
