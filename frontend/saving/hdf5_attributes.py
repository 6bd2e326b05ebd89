"""Attributes of HDF5 objects as Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.errors import FormatError
from kerac.saving.hdf5_messages import (
    ElementType,
    NumberType,
    TextType,
    count_elements,
    read_dataspace,
    read_datatype,
    unpack,
)

if TYPE_CHECKING:
    from kerac.saving.hdf5_objects import Header, ObjectFile

MOST_ELEMENTS = 1_000_000

AttributeValue = str | int | float | bool | list[str] | np.ndarray[Any, np.dtype[Any]] | None


def read_attributes(header: Header, text_limit: int) -> tuple[dict[str, AttributeValue], int]:
    """Return all attributes of an object, and how many bytes of text are in them."""
    values: dict[str, AttributeValue] = {}
    texts = 0
    for body in header.attribute_messages():
        name, element, space, data = _split(body)
        if name in values:
            raise FormatError(f"the attribute {name!r} is there twice")
        try:
            values[name], size = _value(
                header.objects,
                read_datatype(element),
                read_dataspace(space),
                data,
                text_limit - texts,
            )
        except FormatError as error:
            raise error.with_details(thing=f"attribute {name!r}") from None
        texts += size
    return values, texts


def _split(body: bytes) -> tuple[str, bytes, bytes, bytes]:
    """Return name, datatype, dataspace and data of an attribute."""
    version, flags, name_size, type_size, space_size = unpack("BBHHH", body)
    if version not in (1, 2, 3) or (version > 1 and flags):
        raise FormatError(f"an attribute of version {version} with flags {flags:#x} cannot be read")
    offset = 9 if version == 3 else 8
    parts = []
    for size in (name_size, type_size, space_size):
        parts.append(body[offset : offset + size])
        # Version 1 pads each part to 8 bytes.
        offset += -(-size // 8) * 8 if version == 1 else size
    if offset > len(body):
        raise FormatError("an attribute ends too early")
    name, element, space = parts
    return _decode(name.rstrip(b"\0")), element, space, body[offset:]


def _value(
    objects: ObjectFile,
    element: ElementType,
    shape: tuple[int, ...] | None,
    data: bytes,
    text_limit: int,
) -> tuple[AttributeValue, int]:
    if shape is None:
        return None, 0
    count = count_elements(shape)
    if count > MOST_ELEMENTS:
        raise FormatError(f"it has {count} elements, but {MOST_ELEMENTS} is the limit")
    if count * element.size > len(data):
        raise FormatError(
            f"it has {count} elements of {element.size} bytes, but {len(data)} bytes are there"
        )
    data = data[: count * element.size]
    match element:
        case NumberType(dtype):
            array = np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))
            return (array.item() if shape == () else array), 0
        case TextType(size, is_variable):
            texts: list[str] = []
            used = 0
            for start in range(0, len(data), max(size, 1)):
                piece = data[start : start + size]
                text = objects.heap_text(piece) if is_variable else piece.rstrip(b"\0")
                used += len(text)
                if used > text_limit:
                    raise FormatError(
                        "the texts in the attributes of the file are larger than the limit"
                    )
                texts.append(_decode(text))
            if len(texts) != count:
                raise FormatError("texts without any bytes are not valid")
            return _shaped(texts, shape), used
    raise FormatError("it is neither numbers nor text")


def _shaped(texts: list[str], shape: tuple[int, ...]) -> AttributeValue:
    if shape == ():
        return texts[0]
    if len(shape) > 1:
        raise FormatError(f"texts of shape {shape} are not expected")
    return texts


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise FormatError(f"{text[:40]!r} is not text in UTF-8") from None
