"""Loading a library that kerac made."""

from __future__ import annotations

import ctypes
import os
import threading

from kerac.runtime.abi import LIBRARY_SYMBOL, InfoFunction
from kerac.runtime.elf import check_library
from kerac.runtime.errors import LibraryError
from kerac.runtime.executable import Bind, Executable

Identity = tuple[int, int]
_loaded: dict[str, list[Identity]] = {}
_lock = threading.Lock()


def load(
    path: str | os.PathLike[str], threads: int | None = None, bind: Bind | None = None
) -> Executable:
    """Load the compiled model in the shared library `path`; it stays loaded with the process.

    Calls use at most so many `threads`, by default as many as the process may run on; `bind` makes
    them faster, as `Executable` says.
    """
    check_library(path, LIBRARY_SYMBOL)
    try:
        library = ctypes.CDLL(_loader_name(os.path.realpath(path)))
        find = InfoFunction((LIBRARY_SYMBOL, library))
    except OSError as error:
        raise LibraryError(f"{os.fspath(path)}: cannot be loaded: {error}") from None
    except AttributeError:
        fact = f"{os.fspath(path)}: was not made by kerac: it exports no {LIBRARY_SYMBOL}"
        raise LibraryError(fact) from None
    try:
        return Executable(find() or 0, keepalive=library, threads=threads, bind=bind)
    except LibraryError as error:
        fact = f"{os.fspath(path)}: {error.fact}"
        raise LibraryError(fact, details=error.details, remedy=error.remedy) from None


def _loader_name(path: str) -> str:
    """A spelling of `path` that the loader has not yet seen for another file.

    The loader goes by names: asked for a name that it knows, it hands out the old library although
    the file was replaced since. So each new file under one path gets its own number, spelled in
    slashes that change nothing.
    """
    status = os.stat(path)
    identity = (status.st_dev, status.st_ino)
    with _lock:
        known = _loaded.setdefault(path, [])
        if identity not in known:
            known.append(identity)
        number = known.index(identity)
    digits = "".join("./" if digit == "1" else ".//" for digit in f"{number:b}") if number else ""
    return os.path.join(os.path.dirname(path), digits + os.path.basename(path))
