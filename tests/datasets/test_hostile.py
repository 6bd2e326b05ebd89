"""Files of data sets that want more than to be read."""

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerac.datasets import cifar10, imdb, mnist
from kerac.datasets.pickled import integers, read_pickle, rows_of_integers
from kerac.ir.errors import FormatError


class Runs:
    """Pickles to a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "value",
    [
        Runs(os.mkdir, "made"),
        Runs(eval, "1"),
        Runs(np.load, "x"),
        Runs(getattr, 1, "real"),
        np.float64(1),
        {"a": [Runs(os.mkdir, "made")]},
    ],
    ids=lambda value: getattr(value, "call", (type(value).__name__,))[0].__class__.__name__,
)
def test_pickles_run_nothing(value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match="which is no array"):
        read_pickle(pickle.dumps(value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b".",
        b"cnumpy\nndarray\n}(S'a'\nI1\nub.",    # changes what it names
        b"cnumpy\nndarray\n(N}(S'a'\nI1\nutb.",
        b"cnumpy\ndtype\n(]tR.",
        b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
        b"Pname\n.",
        b"\x82\x01.",
        b"I" + b"9" * 5000 + b"\n.",
    ],
)  # fmt: skip
def test_broken_programs(program: bytes) -> None:
    with pytest.raises(FormatError, match="a pickle"):
        read_pickle(program)


def state(shape: Any, dtype: np.dtype, data: Any) -> bytes:
    """A pickled array whose parts do not fit together."""
    multiarray = np.zeros(1).__reduce__()
    return pickle.dumps(Call(multiarray[0], multiarray[1], (1, shape, dtype, False, data)))


class Call:
    def __init__(self, function: Any, args: Any, state: Any) -> None:
        self.parts = function, args, state

    def __reduce__(self) -> Any:
        return self.parts


@pytest.mark.parametrize(
    ("shape", "dtype", "data"),
    [
        ((2,), "u1", b"123"),
        ((2**62,), "f8", b""),
        ((-1,), "u1", b""),
        ((1,), "O", b"12345678"),
        ((2,), "u1", [1, 2]),
        ("ab", "u1", b"12"),
        ((1,), "M8[s]", b"12345678"),
        ((2,), "i4,i4", b"1" * 16),
    ],
)
def test_arrays_that_do_not_fit(shape: Any, dtype: str, data: Any) -> None:
    with pytest.raises(FormatError):
        integers(read_pickle(state(shape, np.dtype(dtype), data)))


@pytest.mark.parametrize("row", [(1,), [1.5], ["a"], [[1]], [True], None])
def test_rows_are_lists_of_integers(row: Any) -> None:
    rows = np.empty(1, object)
    rows[0] = row
    with pytest.raises(FormatError, match="lists of integers are expected"):
        rows_of_integers(read_pickle(pickle.dumps(rows)))


def test_one_list_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kerac.datasets.pickled.MOST_NUMBERS", 1000)
    rows = np.empty(200, object)
    rows[:] = [[1] * 10] * 200
    with pytest.raises(FormatError, match="more than 1000 numbers"):
        rows_of_integers(read_pickle(pickle.dumps(rows)))


def npz(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (b"", "no sound .npz"),
        (npy(np.zeros(3))[:-1], "not what its shape"),
        (npy(np.zeros(3)).replace(b"(3,)", b"(9,)"), "not what its shape"),
        (npy(np.array(["a"])), "holds <U1, but numbers are expected"),
        (npy(np.array([Runs(os.mkdir, "x")])), "names posix.mkdir"),
        (npy(np.zeros(3)).replace(b"\x93NUMPY\x01", b"\x93NUMPY\x07"), "no sound|version"),
    ],
)
def test_hostile_npz(tmp_path: Path, member: bytes, message: str) -> None:
    path = npz(tmp_path / "x.npz", {"x_train.npy": member})
    for module in (mnist, imdb):
        with pytest.raises(FormatError, match=message) as raised:
            module.load_data(path)
        assert str(raised.value).startswith(str(path))


def test_a_member_that_expands_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kerac.datasets.arrays.MOST_BYTES", 10_000)
    path = npz(tmp_path / "x.npz", {"x_train.npy": npy(np.zeros(10_000))})
    with pytest.raises(FormatError, match="10000 are the limit"):
        mnist.load_data(path)


def test_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(FormatError, match=r"no sound \.npz"):
        mnist.load_data(path)
    with pytest.raises(FormatError, match="cannot be read"):
        cifar10.load_data(path)
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("data_batch_1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(FormatError, match="has no data_batch_1, data_batch_2"):
        cifar10.load_data(path)
