"""The loaders on small files in the formats of the real ones, beside Keras's own loaders."""

import gzip
import importlib
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.datasets import fashion_mnist
from kerac.ir.errors import CompileError, FormatError

DRAW = np.random.default_rng(11)


def same(found: Any, expected: Any) -> None:
    for (x, y), (x_expected, y_expected) in zip(found, expected, strict=True):
        assert (x.dtype, x.shape) == (x_expected.dtype, x_expected.shape)
        assert x.tolist() == x_expected.tolist()
        np.testing.assert_array_equal(y, y_expected)


def by_keras(name: str, path: Path, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> Any:
    """What Keras's loader makes of the same file."""
    module = importlib.import_module(f"keras.src.datasets.{name}")
    monkeypatch.setattr(module, "get_file", lambda *_, **__: str(path))
    return module.load_data(**arguments)


def texts(count: int) -> np.ndarray:
    rows = np.empty(count, object)
    rows[:] = [DRAW.integers(1, 40, DRAW.integers(1, 30)).tolist() for _ in range(count)]
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small files."""
    folder = tmp_path_factory.mktemp("data")
    images = DRAW.integers(0, 256, (5, 28, 28), np.uint8)
    labels = DRAW.integers(0, 10, 5, np.uint8)
    arrays = {"x_train": images, "y_train": labels, "x_test": images[:2], "y_test": labels[:2]}
    np.savez(folder / "mnist.npz", **arrays)
    np.savez(folder / "imdb.npz", x_train=texts(20), y_train=DRAW.integers(0, 2, 20),
             x_test=texts(9), y_test=DRAW.integers(0, 2, 9))  # fmt: skip
    np.savez(folder / "reuters.npz", x=texts(20), y=DRAW.integers(0, 46, 20))
    np.savez(folder / "boston_housing.npz", x=DRAW.normal(size=(20, 13)), y=DRAW.normal(size=20))
    np.savez(folder / "california_housing.npz", x=DRAW.normal(size=(700, 8)).astype("f"),
             y=DRAW.normal(size=700).astype("f"))  # fmt: skip
    (folder / "words.json").write_text(json.dumps({"the": 1, "film": 2}))
    return folder


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mnist", {}),
        ("boston_housing", {}),
        ("boston_housing", {"test_split": 0.5, "seed": 3}),
        ("california_housing", {}),
        ("california_housing", {"version": "small"}),
        *[
            (name, arguments)
            for name in ("imdb", "reuters")
            for arguments in (
                {},
                {"num_words": 20, "skip_top": 6},
                {"maxlen": 15, "seed": 4},
                {"start_char": None, "oov_char": None, "num_words": 30},
                {"start_char": None, "index_from": 0},
            )
        ],
    ],
)
def test_as_keras_loads_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict
) -> None:
    path = folder / f"{name}.npz"
    found = getattr(kerac.datasets, name).load_data(path=path, **arguments)
    same(found, by_keras(name, path, monkeypatch, **arguments))


def test_old_spellings(folder: Path) -> None:
    path = folder / "imdb.npz"
    with pytest.warns(DeprecationWarning, match="num_words"):
        found = kerac.datasets.imdb.load_data(path=path, nb_words=10)
    same(found, kerac.datasets.imdb.load_data(path=path, num_words=10))


def test_word_indices(folder: Path) -> None:
    for module in (kerac.datasets.imdb, kerac.datasets.reuters):
        assert module.get_word_index(folder / "words.json") == {"the": 1, "film": 2}
    names = keras.datasets.reuters.get_label_names()
    assert kerac.datasets.reuters.get_label_names() == names


def test_fashion_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(fashion_mnist.FILES):
        count = 5 if "train" in name else 3
        size = count * 28 * 28 if "images" in name else count
        header = bytes(16 if "images" in name else 8)
        data = np.random.default_rng(number).integers(0, 256, size, np.uint8).tobytes()
        (tmp_path / name).write_bytes(gzip.compress(header + data))
    module = importlib.import_module("keras.src.datasets.fashion_mnist")
    monkeypatch.setattr(module, "get_file", lambda name, **_: str(tmp_path / name))
    same(fashion_mnist.load_data(tmp_path), module.load_data())
    (tmp_path / fashion_mnist.FILES[0]).write_bytes(gzip.compress(bytes(16 + 784)))
    with pytest.raises(FormatError, match="there are 5 labels, but 1 images"):
        fashion_mnist.load_data(tmp_path)


class OldPickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings, which is how the archives were made."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_bytes(self, text: bytes) -> None:
        self.write(pickle.BINSTRING + len(text).to_bytes(4, "little") + text)

    dispatch[bytes] = save_bytes


def cifar_folder(folder: Path, inner: str, labels: tuple[str, ...], names: list[str]) -> Path:
    (folder / inner).mkdir()
    for name in names:
        batch: dict[bytes, Any] = {b"data": DRAW.integers(0, 256, (4, 3072), np.uint8)}
        batch |= {label.encode(): DRAW.integers(0, 10, 4).tolist() for label in labels}
        with (folder / inner / name).open("wb") as file:
            OldPickler(file, protocol=2).dump(batch)
    archive = folder / f"{inner}.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder / inner, inner)
    return archive


def batches_by_keras(folder: Path, names: list[str], key: str) -> tuple[np.ndarray, np.ndarray]:
    module = importlib.import_module("keras.src.datasets.cifar")
    parts = [module.load_batch(folder / name, key) for name in names]
    images = np.concatenate([images for images, _ in parts]).transpose(0, 2, 3, 1)
    return images, np.concatenate([labels for _, labels in parts]).astype(np.uint8)[:, None]


def test_cifar10(tmp_path: Path) -> None:
    training = [f"data_batch_{number}" for number in range(1, 6)]
    inner = "cifar-10-batches-py"
    archive = cifar_folder(tmp_path, inner, ("labels",), [*training, "test_batch"])
    expected = [
        batches_by_keras(tmp_path / inner, names, "labels") for names in (training, ["test_batch"])
    ]
    same(kerac.datasets.cifar10.load_data(archive), expected)
    same(kerac.datasets.cifar10.load_data(tmp_path / inner), expected)


@pytest.mark.parametrize("mode", ["fine", "coarse"])
def test_cifar100(tmp_path: Path, mode: str) -> None:
    inner = "cifar-100-python"
    keys = ("fine_labels", "coarse_labels")
    archive = cifar_folder(tmp_path, inner, keys, ["train", "test"])
    expected = [
        batches_by_keras(tmp_path / inner, [name], f"{mode}_labels") for name in ("train", "test")
    ]
    same(kerac.datasets.cifar100.load_data(mode, path=archive), expected)


def test_channels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("fine_labels", "coarse_labels")
    archive = cifar_folder(tmp_path, "cifar-100-python", keys, ["train", "test"])
    (last, _), _ = kerac.datasets.cifar100.load_data(path=archive)
    monkeypatch.setattr(kerac.backend, "image_data_format", lambda: "channels_first")
    (first, _), _ = kerac.datasets.cifar100.load_data(path=archive)
    np.testing.assert_array_equal(first, last.transpose(0, 3, 1, 2))


def test_wrong_arguments(folder: Path) -> None:
    with pytest.raises(FormatError, match=r"absent.npz: is not there"):
        kerac.datasets.mnist.load_data(folder / "absent.npz")
    with pytest.raises(CompileError, match="maxlen is 1, but all texts are longer"):
        kerac.datasets.imdb.load_data(folder / "imdb.npz", maxlen=1)
    with pytest.raises(CompileError, match="test_split is 2"):
        kerac.datasets.boston_housing.load_data(folder / "boston_housing.npz", test_split=2)
    with pytest.raises(CompileError, match="version is 'tiny'"):
        kerac.datasets.california_housing.load_data("tiny")
    with pytest.raises(CompileError, match="label_mode is 'rough'"):
        kerac.datasets.cifar100.load_data("rough")
    with pytest.raises(CompileError, match="has no argument 'words'"):
        kerac.datasets.imdb.load_data(words=3)
