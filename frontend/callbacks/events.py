"""TensorBoard's event files: records of protocol buffers, each with its length and checksums.

What a message holds is given as fields, (number, value): an int is a varint, a float a double;
bytes, text and a list of fields are written with their length.
"""

from __future__ import annotations

import os
import socket
import struct
import time
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from kerac.variable import Array

Fields = Iterable[tuple[int, Any]]

FLOAT, DOUBLE, TEXT = 1, 2, 7  # of TensorFlow's data types
SCALARS, TENSORS, BLOBS = 1, 2, 3  # what a summary holds, to its readers
BUCKETS = 30


def message(fields: Fields) -> bytes:
    """The bytes of a message; fields that are None are left out."""
    return b"".join(_field(number, value) for number, value in fields if value is not None)


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value & (1 << 64) - 1)
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, str):
        value = value.encode()
    data = value if isinstance(value, bytes) else message(value)
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


@cache
def _checksum_table() -> list[int]:
    """Of CRC-32C, the Castagnoli polynomial."""
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


def masked_checksum(data: bytes) -> int:
    """CRC-32C, turned and moved, as records have it."""
    table, value = _checksum_table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 255] ^ value >> 8
    value ^= 0xFFFFFFFF
    return (value >> 15 | value << 17) + 0xA282EAD8 & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """Data with its length before it, each followed by its checksum."""
    length = struct.pack("<Q", len(data))
    sums = [struct.pack("<I", masked_checksum(part)) for part in (length, data)]
    return length + sums[0] + data + sums[1]


def tensor(array: Array | Sequence[bytes], dtype: int) -> Fields:
    """A tensor of numbers, or of bytes, one axis long."""
    if isinstance(array, np.ndarray):
        shape = [(2, [(1, length)]) for length in array.shape]
        return [(1, dtype), (2, shape), (4, array.tobytes())]
    # text alone has no axis
    return [(1, dtype), (2, [(2, [(1, len(array))])]), *((8, item) for item in array)]


class EventWriter:
    """An event file in a folder, made when something is first written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: Any = None

    def scalar(self, tag: str, value: float, step: int) -> None:
        """A point of a curve."""
        number = np.asarray(value, np.float32)
        self._summary(tag, tensor(number, FLOAT), step, "scalars", SCALARS)

    def histogram(self, tag: str, values: Array, step: int) -> None:
        """How numbers are spread."""
        self._summary(tag, tensor(buckets(values), DOUBLE), step, "histograms", TENSORS)

    def image(self, tag: str, images: Array, step: int) -> None:
        """Pictures [N, H, W, C] of numbers from 0 to 1."""
        pictures = [png(image) for image in images[:3]]
        size = [str(images.shape[axis]).encode() for axis in (2, 1)]
        self._summary(tag, tensor([*size, *pictures], TEXT), step, "images", BLOBS)

    def keras_model(self, tag: str, text: str, step: int = 0) -> None:
        """The config of a model, of which TensorBoard draws its layers."""
        text_tensor = [(1, TEXT), (2, []), (8, text)]
        self._summary(tag, text_tensor, step, "graph_keras_model", None, content=b"1")

    def graph(self, definition: Fields) -> None:
        """A graph of ops, a GraphDef."""
        self._event([(4, message(definition))])

    def _summary(
        self,
        tag: str,
        data: Fields,
        step: int,
        plugin: str,
        data_class: int | None,
        content: bytes | None = None,
    ) -> None:
        metadata = [(1, [(1, plugin), (2, content)]), (4, data_class)]
        self._event([(2, step), (5, [(1, [(1, tag), (9, metadata), (8, data)])])])

    def _event(self, fields: Fields) -> None:
        if self._file is None:
            self._open()
        self._file.write(record(message([(1, time.time()), *fields])))

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        host, start = socket.gethostname(), f"events.out.tfevents.{int(time.time()):010d}"
        number = len(list(self.folder.glob(f"{start}*")))
        path = self.folder / f"{start}.{host}.{os.getpid()}.{number}.v2"
        self._file = path.open("xb")
        self._event([(3, "brain.Event:2")])

    def flush(self) -> None:
        """Let others read what was written."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def buckets(values: Array) -> Array:
    """Left and right ends of ranges of equal width, and how many numbers lie in each, f64[K, 3]."""
    flat = np.asarray(values, np.float64).reshape(-1)
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return np.zeros((0, 3))
    if flat.min() == flat.max():
        middle = flat[0]
        return np.array([[middle - 0.5, middle + 0.5, flat.size]])
    counts, edges = np.histogram(flat, BUCKETS)
    return np.stack([edges[:-1], edges[1:], counts], axis=1)


def png(image: Array) -> bytes:
    """A picture [H, W, C] of numbers from 0 to 1, of one, three or four channels."""
    height, width, channels = image.shape
    pixels = np.round(np.clip(np.nan_to_num(image), 0, 1) * 255).astype(np.uint8)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    kind = {1: 0, 3: 2, 4: 6}[channels]

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
