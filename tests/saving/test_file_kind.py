"""Files are told by their contents; what people pass by mistake is named."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kerac.ir.errors import FormatError
from kerac.saving.file_kind import FileKind, file_kind
from tests.saving.test_archive import MEMBERS, zipped


def saved(function: object, *arguments: object) -> bytes:
    buffer = io.BytesIO()
    function(buffer, *arguments)
    return buffer.getvalue()


KINDS = {
    "archive": (zipped(MEMBERS), FileKind.ARCHIVE),
    "archive without config": (zipped({"model.weights.h5": b""}), FileKind.ARCHIVE),
    "truncated archive": (zipped(MEMBERS)[:100], FileKind.ARCHIVE),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(20), FileKind.HDF5),
    "json": (b'\n {"class_name": "Sequential"}', FileKind.JSON),
}
OTHERS = {
    "empty": (b"", "is empty"),
    "pickle": (pickle.dumps({"a": 1}), "is a pickle, which could run any code when it is read"),
    "old pickle": (pickle.dumps({"a": 1}, 2), "is a pickle"),
    "npy": (saved(np.save, np.ones(3)), "is a NumPy array"),
    "npz": (saved(np.savez, np.ones(3)), "is a file of NumPy arrays"),
    "pytorch": (zipped({"archive/data.pkl": b"", "archive/version": b"3"}), "is a PyTorch file"),
    "zipped savedmodel": (zipped({"m/saved_model.pb": b""}), "is a zipped TensorFlow SavedModel"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(20), "is a TFLite model"),
    "onnx": (b"\x08\x0a\x12\x07pytorch\x1a\x052.1.0", "is an ONNX model or a TensorFlow graph"),
    "library": (b"\x7fELF\x02\x01\x01", "is a compiled program or library"),
    "safetensors": (b'\x40\0\0\0\0\0\0\0{"a": {}}', "is a safetensors file"),
    "gzip": (b"\x1f\x8b\x08\0", "is a compressed file"),
    "git lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
        "is a pointer of Git LFS",
    ),
    "web page": (b"<!DOCTYPE html><html>", "is a web page"),
    "text": (b"hello world", "is of no known kind"),
}


@pytest.mark.parametrize(("data", "kind"), KINDS.values(), ids=KINDS)
def test_kinds(data: bytes, kind: FileKind, tmp_path: Path) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(data)
    assert file_kind(data) is file_kind(path) is kind


@pytest.mark.parametrize(("data", "message"), OTHERS.values(), ids=OTHERS)
def test_other_files_are_named(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        file_kind(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert caught.value.remedy


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"is a folder without config\.json"):
        file_kind(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert file_kind(tmp_path) is FileKind.FOLDER
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(FormatError, match="is a TensorFlow SavedModel"):
        file_kind(tmp_path)


def test_missing_and_special_files(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read: No such file or directory"):
        file_kind(tmp_path / "missing.keras")
    with pytest.raises(FormatError, match="is not a file"):
        file_kind("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="is not a file"):
        file_kind(tmp_path / "pipe")


def test_an_empty_zip_is_an_archive() -> None:
    assert file_kind(saved(lambda buffer: zipfile.ZipFile(buffer, "w").close())) is FileKind.ARCHIVE
