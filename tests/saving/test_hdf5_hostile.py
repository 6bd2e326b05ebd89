"""HDF5 files that no model needs: each is refused clearly, before anything is allocated."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from kerac.ir.errors import FormatError
from kerac.saving.hdf5 import read_tree
from kerac.saving.limits import MEBI, Limits
from tests.saving.test_hdf5 import written

CASES: list[tuple[str, Callable[[h5py.File], object]]] = []


def refused(
    message: str,
) -> Callable[[Callable[[h5py.File], object]], Callable[[h5py.File], object]]:
    def note(fill: Callable[[h5py.File], object]) -> Callable[[h5py.File], object]:
        CASES.append((message, fill))
        return fill

    return note


@refused("'a' is an external link to another file, and links are never followed")
def external_link(file: h5py.File) -> None:
    file["a"] = h5py.ExternalLink("/etc/passwd", "/x")


@refused("'a' is a soft link to '/x', and links are never followed")
def soft_link(file: h5py.File) -> None:
    file["x"] = 1.0
    file["a"] = h5py.SoftLink("/x")


@refused("/vars/b: it is the same object as /vars/a, but every object must have one name")
def second_name(file: h5py.File) -> None:
    file["vars/a"] = 1.0
    file["vars/b"] = file["vars/a"]


@refused("/a/b/up: it is the same object as /a, but every object must have one name")
def cycle(file: h5py.File) -> None:
    file.create_group("a/b")
    file["a/b/up"] = file["a"]


@refused("/x: its values lie in other files, and those are never opened")
def external_storage(file: h5py.File) -> None:
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


@refused("/x: it is a virtual dataset: its values lie in other files, which are never opened")
def virtual_dataset(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


@refused("/x: shape (1125899906842624,) needs 8 PiB, but the limit is 16 GiB")
def eight_pebibytes(file: h5py.File) -> None:
    file.create_dataset("x", (1 << 50,), "f8")


@refused("/x: shape (1073741824, 1073741824, 1024) needs")
def overflowing_shape(file: h5py.File) -> None:
    file.create_dataset("x", (1 << 30, 1 << 30, 1 << 10), "f8", chunks=(1, 1, 1))


@refused("/x: shape (268435456,) needs 1 GiB, but only 0 bytes are stored")
def never_written(file: h5py.File) -> None:
    file.create_dataset("x", (1 << 28,), "f4", fillvalue=1)


@refused("/x: a chunk of shape (268435456,) needs 1 GiB, but only")
def deflate_bomb(file: h5py.File) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((1 << 28,))
    creation.set_deflate(9)
    space = h5py.h5s.create_simple((1 << 28,))
    dataset = h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, creation)
    dataset.write_direct_chunk((0,), b"x" * 100)


@refused("/d1: it and the arrays before it need 96 MiB, but the limit is 64 MiB")
def many_never_written(file: h5py.File) -> None:
    for index in range(10):
        file.create_dataset(f"d{index}", (12 * MEBI,), "f4")


@refused("/x: it is compressed by lzf, but only gzip, shuffle and fletcher32 are read")
def unknown_filter(file: h5py.File) -> None:
    file.create_dataset("x", data=np.arange(1000.0), compression="lzf")


@refused("/x: it is compressed by scale-offset, but only gzip")
def scale_offset(file: h5py.File) -> None:
    file.create_dataset("x", data=np.arange(1000), scaleoffset=4)


@refused("/x: its elements are of type compound, but numbers are expected")
def compound(file: h5py.File) -> None:
    file["x"] = np.zeros(3, [("a", "f4"), ("b", "i4")])


@refused("/x: its elements are texts, but numbers are expected")
def texts(file: h5py.File) -> None:
    file["x"] = ["a", "b"]


@refused("/x: its elements are lists of variable length, but numbers are expected")
def ragged(file: h5py.File) -> None:
    file.create_dataset("x", (3,), h5py.vlen_dtype("f4"))


@refused("/x: its elements are of type reference, but numbers are expected")
def references(file: h5py.File) -> None:
    file.create_dataset("x", (3,), h5py.ref_dtype)


@refused("/x: its elements are of type enumeration, but numbers are expected")
def enumeration(file: h5py.File) -> None:
    file.create_dataset("x", (3,), h5py.enum_dtype({"red": 0, "blue": 1}, "i4"))


@refused("/x: its elements are of type array, but numbers are expected")
def arrays(file: h5py.File) -> None:
    file.create_dataset("x", (3,), np.dtype(("f4", (2, 2))))


@refused("/x: its elements are bytes without a meaning, but numbers are expected")
def opaque(file: h5py.File) -> None:
    file["x"] = np.zeros(3, "V2")


@refused("/x: it has no elements and no shape, but an array is expected")
def null_dataspace(file: h5py.File) -> None:
    file["x"] = h5py.Empty("f4")


@refused("/a: it is neither a group nor a dataset")
def named_type(file: h5py.File) -> None:
    file["a"] = np.dtype("f4")


@refused("/: attribute 'a': its elements are of type compound")
def compound_attribute(file: h5py.File) -> None:
    file.attrs["a"] = np.zeros(3, [("a", "f4")])


@refused("/: attribute 'a': texts of shape (2, 2) are not expected")
def table_of_texts(file: h5py.File) -> None:
    file.attrs["a"] = [["a", "b"], ["c", "d"]]


@refused("is not text in UTF-8")
def broken_text(file: h5py.File) -> None:
    file.attrs["a"] = np.bytes_(b"\xff\xfe")


@refused("groups are nested deeper than 64")
def deep(file: h5py.File) -> None:
    file.create_group("/".join("g" * 100))


@pytest.mark.parametrize(("message", "fill"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_is_refused(message: str, fill: Callable[[h5py.File], object], tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(written(fill))
    for source in (path, path.read_bytes()):
        tracemalloc.start()
        with pytest.raises(FormatError) as caught:
            read_tree(source, label="model.h5")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert str(caught.value).startswith("model.h5: /")
        assert message in str(caught.value)
        assert peak < 20 * MEBI


def test_chunks_indexed_in_the_new_way_are_named() -> None:
    data = written(
        lambda file: file.create_dataset("x", data=np.arange(100.0), chunks=(7,)), libver="latest"
    )
    with pytest.raises(FormatError, match=r"only HDF5 since 1\.10 does") as caught:
        read_tree(data)
    assert 'libver="earliest"' in str(caught.value)


def test_a_wrong_checksum_is_found() -> None:
    array = np.arange(64, dtype="f4")
    data = bytearray(written(lambda file: file.create_dataset("x", data=array, fletcher32=True)))
    data[data.index(array.tobytes()) + 5] ^= 1
    with pytest.raises(FormatError, match="/x: the checksum of a chunk is wrong"):
        read_tree(bytes(data)).datasets["x"].read()


def test_a_chunk_that_inflates_beyond_its_shape_is_found() -> None:
    array = np.zeros(1000, "f4")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        small = file.create_dataset("x", (10,), "f4", chunks=(10,), compression="gzip")
        file.create_dataset("y", data=array, chunks=(1000,), compression="gzip")
        _, chunk = file["y"].id.read_direct_chunk((0,))
        small.id.write_direct_chunk((0,), chunk)
    with pytest.raises(FormatError, match="/x: a compressed chunk holds more, or less"):
        read_tree(buffer.getvalue()).datasets["x"].read()


def test_a_truncated_file_says_so() -> None:
    data = written(lambda file: file.update({"layers/dense/vars/0": np.arange(1000.0)}))
    for size in (0, 7, 8, 50, 96, 500, 1000, len(data) // 2, len(data) - 1):
        with pytest.raises(FormatError):
            read_tree(data[:size])
    with pytest.raises(FormatError, match="the file should have 12496 bytes, but has 3000"):
        read_tree(data[:3000])


def test_limits_can_be_moved() -> None:
    data = written(lambda file: file.create_dataset("x", (1 << 25,), "f4"))
    with pytest.raises(FormatError, match="only 0 bytes are stored"):
        read_tree(data)
    tree = read_tree(data, Limits(expansion_floor=1 << 28))
    assert tree.datasets["x"].nbytes == 1 << 27
    with pytest.raises(FormatError, match="there are more than 10 groups and datasets"):
        read_tree(
            written(lambda file: [file.create_group(f"g{i}") for i in range(20)]),
            Limits(hdf5_objects=10),
        )
    with pytest.raises(FormatError, match="the texts in the attributes of the file are larger"):
        read_tree(
            written(lambda file: file.attrs.update(a="x" * 2000)), Limits(hdf5_text_bytes=1000)
        )
    with pytest.raises(FormatError, match="its structures are larger than the limit"):
        read_tree(
            written(lambda file: file.attrs.update(a="x" * 9000)), Limits(hdf5_metadata_bytes=5000)
        )
