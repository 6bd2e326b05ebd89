"""Where the files of data sets are: in the cache, on their servers, or where a user says."""

from __future__ import annotations

import os
from pathlib import Path

from kerac.ir.errors import FormatError
from kerac.utils.files import get_file

STORAGE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
PathLike = str | os.PathLike[str]


def located(
    path: PathLike, origin: str, file_hash: str | None, folder: str | os.PathLike[str] = "datasets"
) -> Path:
    """The file for an argument `path`: a bare name lies in the cache, anything else is read as is.

    What is missing in the cache is fetched from `origin` and checked against `file_hash`.
    """
    given = Path(path).expanduser()
    if os.fspath(path) == given.name:
        return Path(get_file(given.name, origin, file_hash=file_hash, cache_subdir=folder))
    if not given.exists():
        raise FormatError(
            f"{given}: is not there",
            remedy="Give the path of a file, or a bare name for a file in the cache.",
        )
    return given
