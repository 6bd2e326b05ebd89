"""The archives of CIFAR: pickled batches of 32×32 images, channels first."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kerac import backend
from kerac.datasets.pickled import MOST_BYTES, PickledArray, integers, read_pickle
from kerac.ir.errors import FormatError

Array = np.ndarray[Any, Any]
Pair = tuple[Array, Array]
SIDE = 32


def read_batches(path: Path, names: Iterable[str], labels: str) -> list[Pair]:
    """The batches called `names` in an archive, or in the folder it was unpacked to.

    Images are u8[n, 32, 32, 3] (or channels first, as the backend says), labels u8[n, 1].
    """
    wanted = list(names)
    try:
        data = _from_folder(path, wanted) if path.is_dir() else _from_archive(path, wanted)
        return [_batch(data[name], name, labels) for name in wanted]
    except FormatError as error:
        raise error.with_details(thing=str(path)) from None
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise FormatError(f"{path}: cannot be read: {error!s:.120}") from None


def _from_folder(path: Path, names: list[str]) -> dict[str, bytes]:
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise FormatError(f"has no {', '.join(missing)}")
    return {name: (path / name).read_bytes() for name in names}


def _from_archive(path: Path, names: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            file = archive.extractfile(member) if member.isreg() and name in names else None
            if file is None:
                continue
            if name in found or member.size > MOST_BYTES:
                raise FormatError(f"holds {name} twice, or more of it than {MOST_BYTES} bytes")
            found[name] = file.read()
    missing = [name for name in names if name not in found]
    if missing:
        raise FormatError(f"has no {', '.join(missing)}")
    return found


def _batch(data: bytes, name: str, labels: str) -> Pair:
    batch = read_pickle(data, encoding="bytes")
    if not isinstance(batch, dict) or not isinstance(batch.get(b"data"), PickledArray):
        raise FormatError(f"{name} holds no images")
    images = batch[b"data"].array()
    classes = integers(batch.get(labels.encode()))
    if images.dtype != np.uint8 or images.shape != (len(classes), 3 * SIDE * SIDE):
        raise FormatError(
            f"{name} holds images {images.dtype}{images.shape}, "
            f"but uint8({len(classes)}, {3 * SIDE * SIDE}) are expected"
        )
    if classes.size and not 0 <= classes.min() <= classes.max() < 256:
        raise FormatError(f"{name} holds labels outside of 0 ... 255")
    shaped = images.reshape(-1, 3, SIDE, SIDE)
    if backend.image_data_format() == "channels_last":
        shaped = np.ascontiguousarray(shaped.transpose(0, 2, 3, 1))
    return shaped, classes.astype(np.uint8).reshape(-1, 1)
