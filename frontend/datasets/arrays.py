"""Arrays in `.npz` files, read inside limits and without running pickles."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kerac.datasets.pickled import MOST_BYTES, PickledArray, integers, read_pickle, rows_of_integers
from kerac.ir.errors import FormatError

Array = np.ndarray[Any, np.dtype[Any]]


def read_npz(path: Path, names: Iterable[str]) -> list[Any]:
    """The arrays called `names`; a list of lists of integers where one holds lists."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_member(archive, name) for name in names]
    except FormatError as error:
        raise error.with_details(thing=str(path)) from None
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{path}: is no sound .npz file: {error!s:.120}") from None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror or error}") from None


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        member = archive.getinfo(f"{name}.npy")
    except KeyError:
        known = ", ".join(archive.namelist()[:10])
        raise FormatError(f"has no array {name!r}, but {known}") from None
    if member.file_size > MOST_BYTES:
        raise FormatError(f"{name} has {member.file_size} bytes, but {MOST_BYTES} are the limit")
    with archive.open(member) as file:
        data = file.read(member.file_size + 1)
    return _array(io.BytesIO(data), len(data), name)


def _array(file: io.BytesIO, size: int, name: str) -> Any:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise FormatError(f"{name} is written in version {version}, which data sets do not use")
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, in_columns, dtype = read(file)
    data = file.read()
    if dtype.hasobject:
        value = read_pickle(data)
        if not isinstance(value, PickledArray):
            raise FormatError(f"{name} holds a {type(value).__name__}, but an array is expected")
        return rows_of_integers(value)
    if dtype.kind not in "biuf" or min(shape, default=0) < 0:
        raise FormatError(f"{name} holds {dtype}, but numbers are expected")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise FormatError(f"{name} has {len(data)} bytes, which is not what its shape {shape} says")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if in_columns else "C").copy()


def labels_of(value: Any) -> Array:
    """Labels, which are an array of numbers."""
    return value if isinstance(value, np.ndarray) else integers(value)
