"""HDF5 files as h5py writes them, random ones too, read bit for bit alike."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest

from kerac.ir.errors import FormatError
from kerac.saving.hdf5 import Dataset, Group, read_tree

DTYPES = ["f2", "f4", "f8", ">f4", ">f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", ">i4", "?"]


def written(fill: Any, **options: Any) -> bytes:
    """The bytes of a file that `fill` fills."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        fill(file)
    return buffer.getvalue()


def random_array(generator: np.random.Generator) -> np.ndarray:
    dtype = np.dtype(str(generator.choice(DTYPES)))
    shape = tuple(generator.integers(0, 9, size=generator.integers(0, 4)))
    return (generator.uniform(0, 50, shape)).astype(dtype)


def random_options(generator: np.random.Generator, array: np.ndarray) -> dict[str, Any]:
    if array.ndim == 0 or array.size == 0 or generator.random() < 0.3:
        return {}
    return {
        "chunks": tuple(int(generator.integers(1, size + 1)) for size in array.shape),
        "compression": [None, "gzip"][generator.integers(2)],
        "shuffle": bool(generator.integers(2)),
        "fletcher32": bool(generator.integers(2)),
    }


def assert_same(group: Group, expected: h5py.Group) -> None:
    assert set(group.groups) | set(group.datasets) == set(expected)
    for name, dataset in group.datasets.items():
        array = expected[name][()]
        assert dataset.path == expected[name].name
        assert dataset.shape == array.shape
        assert dataset.nbytes == array.nbytes
        value = dataset.read()
        assert value.flags.c_contiguous
        assert value.flags.writeable
        assert value.dtype.isnative
        np.testing.assert_array_equal(
            value, np.asarray(array).astype(array.dtype.newbyteorder("=")), strict=True
        )
    for name, inner in group.groups.items():
        assert_same(inner, expected[name])


@pytest.mark.parametrize("as_path", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_random_files(seed: int, as_path: bool, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)

    def fill(file: h5py.File) -> None:
        for index in range(30):
            depth = generator.integers(0, 5)
            path = "/".join(f"g{generator.integers(4)}" for _ in range(depth))
            array = random_array(generator)
            file.create_dataset(f"{path}/d{index}", data=array, **random_options(generator, array))

    data = written(fill)
    path = tmp_path / "x.h5"
    path.write_bytes(data)
    with h5py.File(path) as expected:
        assert_same(read_tree(path if as_path else data), expected)


@pytest.mark.parametrize("version", ["earliest", "v108", "latest"])
def test_all_generations_of_the_format(version: str) -> None:
    arrays = {f"d{i}": np.arange(i, dtype="f4") for i in range(40)}

    def fill(file: h5py.File) -> None:
        # More than eight members and attributes move to heaps in newer generations.
        for name, array in arrays.items():
            file[f"a/b/{name}"] = array
            file["a"].attrs[name] = name * 3
        file["a"].attrs["long"] = "x" * 70_000 if version == "latest" else "x"

    tree = read_tree(written(fill, libver=version))
    group = tree.find("a/b")
    assert isinstance(group, Group)
    for name, array in arrays.items():
        np.testing.assert_array_equal(group.datasets[name].read(), array)
        assert tree.groups["a"].attributes[name] == name * 3
    assert set(tree.groups["a"].attributes["long"]) == {"x"}


def test_attributes() -> None:
    values = {
        "text": "größe",
        "bytes": b"abc",
        "empty": "",
        "fixed": np.bytes_("abc"),
        "texts": ["a", "größe", ""],
        "fixed texts": np.array([b"a", b"bcd"]),
        "no texts": [],
        "number": 3,
        "real": np.float32(0.5),
        "truth": True,
        "numbers": np.arange(6, dtype=">i4").reshape(2, 3),
        "nothing": h5py.Empty("f4"),
    }
    tree = read_tree(written(lambda file: file.attrs.update(values)))
    found = dict(tree.attributes)
    np.testing.assert_array_equal(found.pop("numbers"), values["numbers"])
    assert found.pop("no texts").size == 0
    assert found == {
        "text": "größe",
        "bytes": "abc",
        "empty": "",
        "fixed": "abc",
        "texts": ["a", "größe", ""],
        "fixed texts": ["a", "bcd"],
        "number": 3,
        "real": 0.5,
        "truth": True,
        "nothing": None,
    }


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn"])
def test_types_that_only_an_attribute_tells(name: str) -> None:
    array = np.linspace(-2, 2, 9).astype(getattr(ml_dtypes, name))

    def fill(file: h5py.File) -> None:
        dataset = file.create_dataset("x", data=array)
        dataset.attrs["dtype"] = name

    np.testing.assert_array_equal(read_tree(written(fill)).datasets["x"].read(), array, strict=True)


def test_bfloat16_as_a_type_of_hdf5() -> None:
    array = np.linspace(-2, 2, 9).astype(ml_dtypes.bfloat16)

    def fill(file: h5py.File) -> None:
        kind = h5py.h5t.IEEE_F32LE.copy()
        kind.set_fields(15, 7, 8, 0, 7)
        kind.set_size(2)
        kind.set_ebias(127)
        space = h5py.h5s.create_simple(array.shape)
        dataset = h5py.h5d.create(file.id, b"x", kind, space)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, array.view("u2"), mtype=kind)

    np.testing.assert_array_equal(read_tree(written(fill)).datasets["x"].read(), array, strict=True)


def test_what_was_never_written_has_the_fill_value() -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("zero", (3, 2), "f4")
        file.create_dataset("seven", (3, 2), "f4", fillvalue=7)
        part = file.create_dataset("part", (5, 5), "i4", chunks=(2, 2), fillvalue=-1)
        part[2:4, 2:4] = 3

    data = written(fill)
    with h5py.File(io.BytesIO(data)) as expected:
        assert_same(read_tree(data), expected)


def test_old_layouts_of_headers_are_read() -> None:
    """Compact storage keeps the elements in the header."""

    def fill(file: h5py.File) -> None:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((4,))
        dataset = h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, creation)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(4, dtype="f4"))

    np.testing.assert_array_equal(
        read_tree(written(fill)).datasets["x"].read(), np.arange(4, dtype="f4")
    )


def test_find() -> None:
    tree = read_tree(written(lambda file: file.update({"a/b/c": 1.0})))
    assert isinstance(tree.find("a/b"), Group)
    assert isinstance(tree.find("a/b/c"), Dataset)
    for missing in ("a/x", "x/b", "a/b/c/d", ""):
        assert tree.find(missing) is None


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(written(lambda file: file.update({"a": np.arange(100.0)})))
    tree = read_tree(path)
    path.write_bytes(b"something else")
    with pytest.raises(FormatError, match="changed while it was read"):
        tree.datasets["a"].read()


def test_messages_use_the_given_label() -> None:
    with pytest.raises(FormatError, match=r"^model.keras:weights: /: it does not begin as an HDF5"):
        read_tree(b"no HDF5 at all", label="model.keras:weights")
