"""What a file is, told from its first bytes and not from its name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from kerac.ir.errors import FormatError
from kerac.saving import archive
from kerac.saving.limits import DEFAULT_LIMITS, Limits
from kerac.saving.source import FileSource, source_name, unreadable

HEAD = 512  # bytes looked at


class FileKind(Enum):
    """The kinds of model files that are read."""

    ARCHIVE = "a .keras archive"
    FOLDER = "a folder with the contents of a .keras archive"
    HDF5 = "an HDF5 file"
    JSON = "a JSON file"


WANTED = "kerac reads .keras archives, .h5 files and the JSON of model.to_json()"
FROM_TENSORFLOW = (
    "Load it in Keras or TensorFlow and save it from there with model.save('model.keras')."
)
FROM_CODE = (
    "Build the model in Keras, set these weights there, and save it with model.save('model.keras')."
)


def _is_protobuf_model(head: bytes) -> bool:
    """An ONNX file begins with its version, field 1, and mostly its producer, field 2."""
    return (
        len(head) > 2 and head[0] == 0x08 and head[1] < 0x20 and head[2] in (0x12, 0x1A, 0x3A, 0x42)
    )


def _begins(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(starts)


# What people pass by mistake: how to tell it, what it is, and what they can do.
OTHERS: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
    (
        _begins(b"version https://git-lfs"),
        "a pointer of Git LFS to a file",
        "Fetch the file itself: git lfs pull.",
    ),
    (
        lambda head: head[4:8] == b"TFL3",
        "a TFLite model",
        "Give the Keras model that it was converted from.",
    ),
    (
        lambda head: re.match(rb"\x80[\x01-\x05]", head) is not None,
        "a pickle, which could run any code when it is read",
        "Save the model with model.save('model.keras').",
    ),
    (_begins(b"\x93NUMPY"), "a NumPy array", FROM_CODE),
    (
        _begins(b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe"),
        "a compiled program or library",
        "Open it with kerac.load(path).",
    ),
    (_begins(b"GGUF"), "a GGUF model", FROM_CODE),
    (
        _begins(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!"),
        "a compressed file",
        "Unpack it first.",
    ),
    (
        lambda head: re.match(rb".{8}\{\"", head, re.DOTALL) is not None,
        "a safetensors file",
        FROM_CODE,
    ),
    (
        lambda head: re.match(rb"\s*<(!doctype html|html)", head, re.IGNORECASE) is not None,
        "a web page",
        "The download went wrong: fetch the file itself.",
    ),
    (
        _is_protobuf_model,
        "an ONNX model or a TensorFlow graph",
        "Give the Keras model that it was exported from.",
    ),
)


def file_kind(source: FileSource, limits: Limits = DEFAULT_LIMITS) -> FileKind:
    """Return what kind of model file this is, or say what it is instead."""
    name = source_name(source)
    if isinstance(source, bytes):
        head = source[:HEAD]
    elif "\0" in name:
        raise FormatError(f"{name!r}: a file name cannot hold a zero byte")
    elif os.path.isdir(source):
        return _folder_kind(Path(source))
    else:
        try:
            if os.path.exists(source) and not os.path.isfile(source):
                raise FormatError(f"{name}: is not a file, but {WANTED}")
            with open(source, "rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            raise unreadable(source, error) from None
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return FileKind.HDF5
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _zip_kind(source, limits)
    if re.match(rb"(\xef\xbb\xbf)?\s*\{", head):
        return FileKind.JSON
    raise _other_kind(name, head)


def _other_kind(name: str, head: bytes) -> FormatError:
    if not head:
        return FormatError(
            f"{name}: is empty", remedy="Copy the file again, or save the model again."
        )
    for matches, described, remedy in OTHERS:
        if matches(head):
            return FormatError(f"{name}: is {described}, but {WANTED}", remedy=remedy)
    return FormatError(
        f"{name}: is of no known kind, but {WANTED}",
        details=(f"it begins with {head[:16]!r}",),
        remedy="Save the model with model.save('model.keras').",
    )


def _folder_kind(folder: Path) -> FileKind:
    try:
        names = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise unreadable(folder, error) from None
    if "saved_model.pb" in names or "saved_model.pbtxt" in names:
        raise FormatError(
            f"{folder}: is a TensorFlow SavedModel, but {WANTED}", remedy=FROM_TENSORFLOW
        )
    if archive.CONFIG in names:
        return FileKind.FOLDER
    raise FormatError(
        f"{folder}: is a folder without {archive.CONFIG}, but {WANTED}",
        remedy="Name the model file in it.",
    )


def _zip_kind(source: FileSource, limits: Limits) -> FileKind:
    names = archive.member_names(source, limits)
    if names and archive.CONFIG not in names:
        name = source_name(source)
        if any(member.endswith("data.pkl") for member in names):
            described, remedy = "a PyTorch file, which holds a pickle", FROM_CODE
        elif all(member.endswith(".npy") for member in names):
            described, remedy = "a file of NumPy arrays", FROM_CODE
        elif any(member.endswith("saved_model.pb") for member in names):
            described, remedy = "a zipped TensorFlow SavedModel", FROM_TENSORFLOW
        else:
            return FileKind.ARCHIVE  # reading it says which member is missing, and which are there
        raise FormatError(f"{name}: is {described}, but {WANTED}", remedy=remedy)
    return FileKind.ARCHIVE
