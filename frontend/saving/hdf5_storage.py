"""How the elements of an HDF5 dataset become an array."""

from __future__ import annotations

import itertools
import math
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.errors import FormatError
from kerac.saving.hdf5_messages import (
    DEFLATE,
    FLETCHER32,
    SHUFFLE,
    UNDEFINED_ADDRESS,
    Chunked,
    Compact,
    Contiguous,
    Message,
    count_elements,
    read_fill_value,
    read_filters,
    read_layout,
)
from kerac.saving.limits import Limits, readable_size
from kerac.saving.source import Storage

if TYPE_CHECKING:
    from kerac.saving.hdf5_objects import Header, ObjectFile

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Chunk:
    """A block of elements: its first index along each axis, its place, the filters it skipped."""

    start: tuple[int, ...]
    address: int
    size: int
    skipped: int


@dataclass(frozen=True)
class Place:
    """Where all elements lie in one piece."""

    address: int
    size: int


@dataclass(frozen=True)
class ArrayStorage:
    """All that is needed to read one array later, checked against the file and the limits."""

    label: str
    storage: Storage
    nbytes: int
    stored_dtype: np.dtype[Any]
    contents: bytes | Place | tuple[Chunk, ...]
    """The elements themselves, or where they are; no chunk means that all have the fill value."""
    chunk_shape: tuple[int, ...] = ()
    filters: tuple[int, ...] = ()
    fill_value: bytes | None = None


def array_storage(
    label: str,
    storage: Storage,
    objects: ObjectFile,
    header: Header,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    limits: Limits,
) -> ArrayStorage:
    """Return how to read a dataset, or fail if its shape promises more than the file can hold."""
    nbytes = count_elements(shape) * dtype.itemsize
    if max((*shape, nbytes)) >= sys.maxsize or nbytes > limits.weights_bytes:
        size, limit = readable_size(nbytes), readable_size(limits.weights_bytes)
        raise FormatError(f"shape {shape} needs {size}, but the limit is {limit}")
    filters = tuple(f for body in header.bodies(Message.FILTERS) for f in read_filters(body))
    contents: bytes | Place | tuple[Chunk, ...]
    chunk_shape: tuple[int, ...] = ()
    match read_layout(header.body(Message.LAYOUT)):
        case Compact(data):
            contents, stored = data, len(data)
        case Contiguous(address, length):
            contents, stored = _place_in_file(
                storage, address, nbytes if length is None else length
            )
        case Chunked(address, chunk_shape, element_size):
            _check_chunk_shape(shape, chunk_shape, element_size, dtype)
            contents = _chunks(objects, address, shape, chunk_shape) if nbytes else ()
            stored = _check_chunks(contents, chunk_shape, dtype, storage, limits)
    if not isinstance(contents, tuple) and stored < nbytes:
        raise FormatError(f"shape {shape} needs {nbytes} bytes, but {stored} are stored")
    if nbytes > limits.most_from(stored):
        raise FormatError(
            f"shape {shape} needs {readable_size(nbytes)}, "
            f"but only {readable_size(stored)} are stored",
            remedy="The file may be hostile. Pass Limits(expansion=...) if it is to be trusted.",
        )
    fill_value = _fill_value(header, dtype)
    return ArrayStorage(label, storage, nbytes, dtype, contents, chunk_shape, filters, fill_value)


def _place_in_file(
    storage: Storage, address: int, size: int
) -> tuple[Place | tuple[Chunk, ...], int]:
    if address == UNDEFINED_ADDRESS:
        return (), 0
    if address + size > storage.size:
        raise FormatError(
            f"its values end at byte {address + size}, but the file has {storage.size} bytes",
            remedy="The file is truncated or damaged: copy or save it again.",
        )
    return Place(address, size), size


def _fill_value(header: Header, dtype: np.dtype[Any]) -> bytes | None:
    values = [read_fill_value(body, is_old=False) for body in header.bodies(Message.FILL_VALUE)]
    values += [read_fill_value(body, is_old=True) for body in header.bodies(Message.OLD_FILL_VALUE)]
    for value in values:
        if value is not None and len(value) != dtype.itemsize:
            raise FormatError(
                f"its fill value has {len(value)} bytes, but an element has {dtype.itemsize}"
            )
    return values[0] if values else None


def _check_chunk_shape(
    shape: tuple[int, ...], chunk_shape: tuple[int, ...], element_size: int, dtype: np.dtype[Any]
) -> None:
    if len(chunk_shape) != len(shape) or element_size != dtype.itemsize:
        raise FormatError(
            f"its chunks have shape {chunk_shape} and elements of {element_size} bytes, "
            f"but it has shape {shape} and elements of {dtype.itemsize} bytes"
        )


def _chunks(
    objects: ObjectFile, address: int, shape: tuple[int, ...], chunk_shape: tuple[int, ...]
) -> tuple[Chunk, ...]:
    if address == UNDEFINED_ADDRESS:
        return ()
    found: dict[tuple[int, ...], Chunk] = {}
    for start, chunk_address, size, skipped in objects.chunks(address, len(shape)):
        inside = all(
            s < n and s % c == 0 for s, n, c in zip(start, shape, chunk_shape, strict=True)
        )
        if start in found or not inside:
            raise FormatError(
                f"there is a chunk at {start} of shape {chunk_shape}, but it has shape {shape}"
            )
        found[start] = Chunk(start, chunk_address, size, skipped)
    return tuple(found.values())


def _check_chunks(
    chunks: tuple[Chunk, ...],
    chunk_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    storage: Storage,
    limits: Limits,
) -> int:
    """Check every chunk against the file; return how many bytes all of them take there."""
    nbytes = count_elements(chunk_shape) * dtype.itemsize
    for chunk in chunks:
        if chunk.address + chunk.size > storage.size:
            raise FormatError(f"the chunk at {chunk.start} ends after the end of the file")
        if nbytes > limits.most_from(chunk.size):
            raise FormatError(
                f"a chunk of shape {chunk_shape} needs {readable_size(nbytes)}, "
                f"but only {readable_size(chunk.size)} are stored"
            )
    stored = sum(chunk.size for chunk in chunks)
    # Chunks that share bytes of the file could grow without bound.
    if stored > storage.size:
        raise FormatError(
            f"its chunks have {stored} bytes together, but the file has {storage.size}"
        )
    return stored


def read_array(array: ArrayStorage, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return the elements in a new array of `dtype`, the stored one in native byte order."""
    match array.contents:
        case bytes(data):
            data = data[: array.nbytes]
        case Place(address):
            data = array.storage.read_at(address, array.nbytes)
        case chunks:
            result = _filled(array, shape)
            with array.storage.opened():
                for chunk in chunks:
                    _place(array, chunk, result)
            return result.astype(dtype, copy=False)
    # The copy is aligned and writable, and keeps nothing else of the file in memory.
    return np.frombuffer(data, array.stored_dtype).reshape(shape).astype(dtype)


def _filled(array: ArrayStorage, shape: tuple[int, ...]) -> Array:
    if array.fill_value is None:
        return np.zeros(shape, array.stored_dtype)
    result = np.empty(shape, array.stored_dtype)
    result[...] = np.frombuffer(array.fill_value, array.stored_dtype)[0]
    return result


def _place(array: ArrayStorage, chunk: Chunk, result: Array) -> None:
    stored = array.storage.read_at(chunk.address, chunk.size)
    data = _unfiltered(array, chunk, stored)
    block = np.frombuffer(data, array.stored_dtype).reshape(array.chunk_shape)
    # Chunks at the border reach over it.
    target = tuple(
        slice(start, min(start + size, end))
        for start, size, end in zip(chunk.start, array.chunk_shape, result.shape, strict=True)
    )
    inner = tuple(slice(0, piece.stop - piece.start) for piece in target)
    result[target] = block[inner]


def _unfiltered(array: ArrayStorage, chunk: Chunk, data: bytes) -> bytes:
    nbytes = math.prod(array.chunk_shape) * array.stored_dtype.itemsize
    for position, number in reversed(list(enumerate(array.filters))):
        if chunk.skipped >> position & 1:
            continue
        if number == DEFLATE:
            # Checksums written before it may be inside.
            data = _inflated(data, nbytes + 4 * array.filters.count(FLETCHER32))
        elif number == SHUFFLE:
            data = _unshuffled(data, array.stored_dtype.itemsize)
        elif number == FLETCHER32:
            data = _checked(data)
    if len(data) != nbytes:
        raise FormatError(
            f"the chunk at {chunk.start} has {len(data)} bytes, but {nbytes} are expected"
        )
    return data


def _inflated(data: bytes, limit: int) -> bytes:
    inflate = zlib.decompressobj()
    result = inflate.decompress(data, limit + 1)
    if len(result) > limit or not inflate.eof:
        raise FormatError("a compressed chunk holds more, or less, than its shape says")
    return result


def _unshuffled(data: bytes, size: int) -> bytes:
    """Gather the bytes of each element, which the filter had sorted by their place in it."""
    whole = len(data) // size * size
    bytes_first = np.frombuffer(data[:whole], np.uint8).reshape(size, -1)
    return bytes_first.T.tobytes() + data[whole:]


def _checked(data: bytes) -> bytes:
    """Verify and drop the Fletcher checksum of 16-bit words in the last four bytes."""
    if len(data) < 4:
        raise FormatError("a chunk is too short for its checksum")
    payload = data[:-4]
    words = np.frombuffer(payload + b"\0" * (len(payload) % 2), ">u2").astype(np.uint64)
    first = second = 0
    for start in itertools.count(0, 1 << 20):
        block = words[start : start + (1 << 20)]
        if not block.size:
            break
        # After a block: second += n * first + sum over i of (n - i) * word[i]; no sum here reaches
        # 2**64.
        weights = np.arange(block.size, 0, -1, dtype=np.uint64)
        second = (second + block.size * first + int((block * weights).sum())) % 65535
        first = (first + int(block.sum())) % 65535
    stored = int.from_bytes(data[-4:], "little")
    if (stored & 0xFFFF) % 65535 != first or (stored >> 16) % 65535 != second:
        raise FormatError("the checksum of a chunk is wrong: the file is damaged")
    return payload
