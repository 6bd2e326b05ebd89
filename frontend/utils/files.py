"""Files from the network: fetched once, checked, and kept in a folder."""

from __future__ import annotations

import hashlib
import os
import urllib.parse
from pathlib import Path

from kerac.ir.errors import CompileError, FormatError

SECONDS = 30  # without a byte from a server


def cache_folder() -> Path:
    """Where files are kept: $KERAC_HOME, else $KERAS_HOME, else ~/.kerac."""
    for name in ("KERAC_HOME", "KERAS_HOME"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser()
    return Path.home() / ".kerac"


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str | os.PathLike[str] = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """The path of the file at `origin`, fetched unless it lies in the cache already.

    With `file_hash` (SHA-256 or MD5) a file of other contents is never used: one in the cache is
    fetched anew, one that arrives so is removed. Archives are unpacked with `extract`; members that
    lead out of the folder are refused, and the path is that of the folder.
    """
    if origin is None:
        raise CompileError("get_file: needs origin, the address of the file")
    unpacks = extract or untar
    name = os.fspath(fname or os.path.basename(urllib.parse.urlsplit(origin).path))
    if not name or name in (".", "..") or Path(name).name != name:
        raise CompileError(
            f"get_file: fname is {name!r}, but the name of a file in the cache is expected",
            remedy="Say where the cache lies by cache_dir and cache_subdir.",
        )
    folder = Path(cache_dir or cache_folder()).expanduser() / cache_subdir
    target = folder / (f"{name.partition('.')[0]}_archive" if unpacks else name)
    digest = _algorithm(file_hash or md5_hash, "md5" if md5_hash else hash_algorithm)
    if force_download or not _is_whole(target, digest):
        fetch(origin, target, digest)
    if not unpacks:
        return str(target)
    from kerac.utils.archives import unpack

    return str(unpack(target, folder / f"{name.partition('.')[0]}_extracted", archive_format))


def fetch(origin: str, target: Path, digest: tuple[str, str] | None) -> None:
    """Put the file at `origin` into `target`, whole or not at all."""
    try:
        import pooch
    except ImportError:
        raise CompileError(
            f"{target.name}: is not in {target.parent}, and pooch, which fetches it, is missing",
            remedy=f"pip install 'kerac[datasets]', or put {origin} there.",
        ) from None
    import requests

    scheme = urllib.parse.urlsplit(origin).scheme
    if scheme not in ("http", "https"):
        raise CompileError(f"{origin}: is fetched by http or https, but names {scheme!r}")
    _make_folder(target.parent)
    pooch.get_logger().setLevel("WARNING")
    # A name of its own, so that what was there before stays until the new file is checked.
    arriving = f".{target.name}.arriving-{os.getpid()}"
    known = None if digest is None else ":".join(digest)
    print(f"Downloading data from {origin}")
    try:
        path = pooch.retrieve(
            origin, known, arriving, target.parent, downloader=pooch.HTTPDownloader(timeout=SECONDS)
        )
        os.replace(path, target)
    except requests.exceptions.RequestException as error:
        raise FormatError(
            f"{origin}: cannot be fetched: {_reason(error)}",
            remedy=f"Check the connection, or put the file at {target} yourself.",
        ) from None
    except ValueError:
        raise FormatError(
            f"{origin}: has another {digest[0] if digest else 'hash'} than expected, "
            "so it is damaged, incomplete or has changed",
            remedy="Try again later; the file was removed.",
        ) from None
    except OSError as error:
        raise CompileError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        (target.parent / arriving).unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """What happened, in a line that a user can read."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server says {response.status_code} {response.reason}"
    return f"{type(error).__name__}, {error!s:.120}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CompileError(
            f"{folder}: cannot be made: {error.strerror or error}",
            remedy="Set KERAC_HOME to a folder that you may write to.",
        ) from None


def _algorithm(file_hash: str | None, name: str) -> tuple[str, str] | None:
    """The algorithm of a hash, by its length where it is not named, and its digits."""
    if file_hash is None:
        return None
    found = name if name != "auto" else {32: "md5", 64: "sha256"}.get(len(file_hash))
    if found not in ("md5", "sha256"):
        raise CompileError(
            f"get_file: file_hash has {len(file_hash)} digits, but md5 has 32 and sha256 64"
        )
    return found, file_hash.lower()


def _is_whole(path: Path, digest: tuple[str, str] | None) -> bool:
    """Whether the file is there, with the contents that are expected."""
    if not path.is_file():
        return False
    if digest is None:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, digest[0]).hexdigest() == digest[1]
