"""The messages in an HDF5 object header; what is not known, or not wanted, is an error.

The layouts are those of the HDF5 File Format Specification, chapter IV.A.2. All integers are
little-endian.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from kerac.ir.errors import FormatError

UNDEFINED_ADDRESS = 0xFFFF_FFFF_FFFF_FFFF
MOST_AXES = 32  # HDF5's own limit


class Message(IntEnum):
    """Types of header messages that matter to us."""

    DATASPACE = 0x01
    LINK_INFO = 0x02
    DATATYPE = 0x03
    OLD_FILL_VALUE = 0x04
    FILL_VALUE = 0x05
    LINK = 0x06
    EXTERNAL_FILES = 0x07
    LAYOUT = 0x08
    GROUP_INFO = 0x0A
    FILTERS = 0x0B
    ATTRIBUTE = 0x0C
    SYMBOL_TABLE = 0x11
    ATTRIBUTE_INFO = 0x15


def unpack(layout: str, body: bytes, offset: int = 0) -> tuple[Any, ...]:
    """Return the little-endian fields of `layout` at `offset`."""
    if offset < 0 or offset + struct.calcsize("<" + layout) > len(body):
        raise FormatError("a header message ends too early")
    return struct.unpack_from("<" + layout, body, offset)


def _part(body: bytes, offset: int, size: int) -> bytes:
    if offset + size > len(body):
        raise FormatError("a header message ends too early")
    return body[offset : offset + size]


# The dataspace: how many elements along each axis.


def read_dataspace(body: bytes) -> tuple[int, ...] | None:
    """Return the shape, or None where there are no elements at all (a null dataspace)."""
    version, ndim, flags = unpack("BBB", body)
    if version == 1:
        offset = 8
    elif version == 2:
        (kind,) = unpack("B", body, 3)
        if kind == 2:
            return None
        offset = 4
    else:
        raise FormatError(f"dataspace version {version} is not known")
    if ndim > MOST_AXES or flags & ~0b11:
        raise FormatError(f"a dataspace of {ndim} axes with flags {flags:#x} is not valid")
    return unpack(f"{ndim}Q", body, offset)


# The datatype: what one element is.


@dataclass(frozen=True)
class NumberType:
    """Elements that NumPy knows."""

    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize


@dataclass(frozen=True)
class TextType:
    """Text of `size` bytes, or, where `is_variable`, a reference to text in a heap."""

    size: int
    is_variable: bool


@dataclass(frozen=True)
class OpaqueType:
    """Bytes whose meaning an attribute must tell."""

    size: int


ElementType = NumberType | TextType | OpaqueType

# size, exponent at, exponent bits, mantissa at, mantissa bits, exponent bias -> name
FLOATS = {
    (8, 52, 11, 0, 52, 1023): "float64",
    (4, 23, 8, 0, 23, 127): "float32",
    (2, 10, 5, 0, 10, 15): "float16",
    (2, 7, 8, 0, 7, 127): "bfloat16",
    (1, 3, 4, 0, 3, 7): "float8_e4m3fn",
    (1, 2, 5, 0, 2, 15): "float8_e5m2",
}
REFUSED_CLASSES = {2: "time", 4: "bit field", 6: "compound", 7: "reference", 10: "array"}


def dtype_by_name(name: str) -> np.dtype[Any]:
    """Return the dtype of a name in `FLOATS`, NumPy's or that of ml_dtypes."""
    if name.startswith(("bfloat", "float8")):
        import ml_dtypes

        special: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return special
    return np.dtype(name)


def read_datatype(body: bytes) -> ElementType:
    """Return the type of one element."""
    class_and_version, flags, more_flags, _, size = unpack("BBBBI", body)
    kind, version = class_and_version & 15, class_and_version >> 4
    if version not in (1, 2, 3, 4, 5):
        raise FormatError(f"datatype version {version} is not known")
    match kind:
        case 0:
            return _read_integer(body, size, flags)
        case 1:
            return _read_float(body, size, flags)
        case 3:
            return TextType(size, is_variable=False)
        case 5:
            return OpaqueType(size)
        case 8:
            return _read_boolean(body, size, flags | more_flags << 8, version)
        case 9 if flags & 15 == 1:
            return TextType(16, is_variable=True)
        case 9:
            raise FormatError("its elements are lists of variable length, but numbers are expected")
    name = REFUSED_CLASSES.get(kind, f"unknown (class {kind})")
    raise FormatError(f"its elements are of type {name}, but numbers are expected")


def _read_integer(body: bytes, size: int, flags: int) -> NumberType:
    offset, precision = unpack("HH", body, 8)
    if size not in (1, 2, 4, 8) or offset != 0 or precision != 8 * size:
        raise FormatError(f"integers of {precision} bits in {size} bytes cannot be read")
    order, sign = "<>"[flags & 1], "ui"[flags >> 3 & 1]
    return NumberType(np.dtype(f"{order}{sign}{size}"))


def _read_float(body: bytes, size: int, flags: int) -> NumberType:
    _, precision, *fields, bias = unpack("HHBBBBI", body, 8)
    name = FLOATS.get((size, *fields, bias))
    if name is None or precision != 8 * size or flags & 64:
        raise FormatError(
            f"floats of {precision} bits in {size} bytes cannot be read in this layout"
        )
    dtype: np.dtype[Any] = dtype_by_name(name)
    if flags & 1:
        if not name.startswith("float") or size == 1:
            raise FormatError(f"{name} in big-endian order cannot be read")
        dtype = dtype.newbyteorder(">")
    return NumberType(dtype)


def _read_boolean(body: bytes, size: int, members: int, version: int) -> NumberType:
    """Read the enumeration of FALSE and TRUE over a byte, which is h5py's boolean."""
    base = read_datatype(body[8:])
    offset = 8 + 12
    names = []
    for _ in range(min(members, 3)):
        end = body.find(b"\0", offset)
        if end < 0:
            raise FormatError("an enumeration ends too early")
        names.append(body[offset:end])
        length = end - offset + 1
        offset += length if version >= 3 else -(-length // 8) * 8
    if (
        base.size != 1
        or size != 1
        or names != [b"FALSE", b"TRUE"]
        or _part(body, offset, 2) != b"\0\1"
    ):
        raise FormatError("its elements are of type enumeration, but numbers are expected")
    return NumberType(np.dtype(np.bool_))


# The layout: where the elements are.


@dataclass(frozen=True)
class Compact:
    """The elements are in the header itself."""

    data: bytes


@dataclass(frozen=True)
class Contiguous:
    """The elements follow each other in the file."""

    address: int
    size: int | None


@dataclass(frozen=True)
class Chunked:
    """The elements are in blocks of one shape, found through a tree."""

    address: int
    chunk: tuple[int, ...]
    element_size: int


Layout = Compact | Contiguous | Chunked


def read_layout(body: bytes) -> Layout:
    """Return where the elements are."""
    version = unpack("B", body)[0]
    if version in (1, 2):
        return _read_old_layout(body)
    if version not in (3, 4, 5):
        raise FormatError(f"layout version {version} is not known")
    kind = unpack("B", body, 1)[0]
    match kind:
        case 0:
            (size,) = unpack("H", body, 2)
            return Compact(_part(body, 4, size))
        case 1:
            return Contiguous(*unpack("QQ", body, 2))
        case 2 if version == 3:
            ndim, address = unpack("BQ", body, 2)
            return _chunked(address, unpack(f"{ndim}I", body, 11))
        case 2:
            raise FormatError(
                "its chunks are indexed as only HDF5 since 1.10 does, which kerac does not read",
                remedy='Write the file with h5py.File(path, "w", libver="earliest").',
            )
        case 3:
            raise FormatError(
                "it is a virtual dataset: its values lie in other files, which are never opened",
                remedy="Write the values into the file itself.",
            )
    raise FormatError(f"layout class {kind} is not known")


def _read_old_layout(body: bytes) -> Layout:
    _, ndim, kind = unpack("BBB", body)
    if kind == 0:
        sizes_end = 8 + 4 * ndim
        (size,) = unpack("I", body, sizes_end)
        return Compact(_part(body, sizes_end + 4, size))
    (address,) = unpack("Q", body, 8)
    if kind == 1:
        return Contiguous(address, None)
    if kind == 2:
        return _chunked(address, unpack(f"{ndim}I", body, 16))
    raise FormatError(f"layout class {kind} is not known")


def _chunked(address: int, sizes: tuple[int, ...]) -> Chunked:
    # The last size is that of one element.
    if len(sizes) < 2 or len(sizes) > MOST_AXES + 1 or 0 in sizes:
        raise FormatError(f"chunks of shape {sizes} are not valid")
    return Chunked(address, sizes[:-1], sizes[-1])


# The filters that a chunk went through on its way to the file.

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
OTHER_FILTERS = {
    4: "szip",
    5: "n-bit",
    6: "scale-offset",
    32000: "lzf",
    32001: "blosc",
    32015: "zstd",
}


def read_filters(body: bytes) -> tuple[int, ...]:
    """Return the numbers of the filters in the order in which they were applied."""
    version, count = unpack("BB", body)
    if version not in (1, 2) or count > MOST_AXES:
        raise FormatError(f"a pipeline of {count} filters of version {version} is not valid")
    offset = 8 if version == 1 else 2
    found = []
    for _ in range(count):
        (number,) = unpack("H", body, offset)
        offset += 2
        name_size = 0
        if version == 1 or number >= 256:
            (name_size,) = unpack("H", body, offset)
            offset += 2
        _, values = unpack("HH", body, offset)
        offset += 4 + (-(-name_size // 8) * 8 if version == 1 else name_size) + 4 * values
        if version == 1 and values % 2:
            offset += 4
        found.append(number)
    for number in found:
        if number not in (DEFLATE, SHUFFLE, FLETCHER32):
            name = OTHER_FILTERS.get(number, f"filter {number}")
            raise FormatError(
                f"it is compressed by {name}, but only gzip, shuffle and fletcher32 are read",
                remedy='Write it with compression="gzip", or without compression.',
            )
    return tuple(found)


# The value of elements that were never written.


def read_fill_value(body: bytes, *, is_old: bool) -> bytes | None:
    """Return the bytes of one element, or None for zero."""
    if is_old:
        offset = 0
    else:
        version, flags = unpack("BB", body)
        if version == 3:
            is_defined, offset = bool(flags & 32), 2
        elif version in (1, 2):
            is_defined, offset = version == 1 or bool(unpack("B", body, 3)[0]), 4
        else:
            raise FormatError(f"fill value version {version} is not known")
        if not is_defined:
            return None
    (size,) = unpack("I", body, offset)
    # The format writes "no value" as size 0 or -1.
    return _part(body, offset + 4, size) if size not in (0, 0xFFFF_FFFF) else None


def count_elements(shape: tuple[int, ...]) -> int:
    """Return the product of a shape, exactly."""
    return math.prod(shape)
