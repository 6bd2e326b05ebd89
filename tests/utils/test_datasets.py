"""Data sets from folders, windows and arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras.src.utils import dataset_utils

import kerac
from kerac.ir.errors import CompileError, FormatError
from kerac.training.sources import is_dataset
from kerac.utils.dataset import Dataset
from kerac.utils.file_datasets import IMAGE_ENDINGS

DRAW = np.random.default_rng(4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, of five and four texts and images."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    top = tmp_path_factory.mktemp("files")
    for name, count in (("cat", 5), ("dog", 4)):
        (top / name / "inner").mkdir(parents=True)
        for number in range(count):
            place = top / name / "inner" if number % 2 else top / name
            (place / f"{number}.txt").write_text(f"{name} {number} é", encoding="utf-8")
            pixels = np.full((6, 8, 3), number * 10, np.uint8)
            image.fromarray(pixels).save(place / f"{number}.png")
    (top / ".hidden").mkdir()
    return top


ARGUMENTS: list[dict[str, Any]] = [
    {"shuffle": False},
    {"seed": 7},
    {"seed": 7, "class_names": ["dog", "cat"]},
    {"shuffle": False, "labels": list(range(9))},
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_files_are_those_of_keras(folder: Path, arguments: dict[str, Any]) -> None:
    dataset = kerac.utils.image_dataset_from_directory(folder, verbose=False, **arguments)
    known = {"labels": "inferred", "shuffle": True} | arguments
    paths, labels, names = dataset_utils.index_directory(
        str(folder), formats=IMAGE_ENDINGS, verbose=False, **known
    )
    assert dataset.file_paths == paths
    assert dataset.class_names == names
    if not known["shuffle"]:
        assert np.concatenate([y for _, y in dataset]).tolist() == list(labels)


@pytest.mark.parametrize(
    ("mode", "dtype", "shape"),
    [("int", "int32", (4,)), ("binary", "float32", (4, 1)), ("categorical", "float32", (4, 2))],
)
def test_batches_of_images(folder: Path, mode: str, dtype: str, shape: tuple[int, ...]) -> None:
    dataset = kerac.utils.image_dataset_from_directory(
        folder, label_mode=mode, batch_size=4, image_size=(3, 5), shuffle=False, verbose=False
    )
    assert (len(dataset), is_dataset(dataset)) == (3, True)
    images, labels = dataset[0]
    assert (images.shape, images.dtype) == ((4, 3, 5, 3), np.float32)
    assert (labels.shape, labels.dtype) == (shape, dtype)
    assert [len(x) for x, _ in dataset] == [4, 4, 1]


def test_images_without_labels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = kerac.utils.image_dataset_from_directory(
        folder, label_mode=None, image_size=4, color_mode="grayscale", pad_to_aspect_ratio=True
    )
    (images,) = dataset
    assert images.shape == (9, 4, 4, 1)
    # a row of zeros was added above, and two rows make one
    np.testing.assert_array_equal(2 * images[:, 0], images[:, 1])
    assert capsys.readouterr().out == "Found 9 files.\n"


def test_both_parts(folder: Path) -> None:
    train, validation = kerac.utils.text_dataset_from_directory(
        folder, validation_split=0.3, subset="both", seed=3, batch_size=2, verbose=False
    )
    assert (len(train.file_paths), len(validation.file_paths)) == (7, 2)
    assert not set(train.file_paths) & set(validation.file_paths)
    for subset, part in (("training", train), ("validation", validation)):
        alone = kerac.utils.text_dataset_from_directory(
            folder, validation_split=0.3, subset=subset, seed=3, verbose=False
        )
        assert alone.file_paths == part.file_paths
    epochs = [[text for texts, _ in train for text in texts] for _ in range(2)]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1])


def test_texts(folder: Path) -> None:
    dataset = kerac.utils.text_dataset_from_directory(folder, shuffle=False, verbose=False)
    texts, labels = dataset[0]
    assert (texts[0], labels[0], texts[-1], labels[-1]) == ("cat 0 é", 0, "dog 3 é", 1)
    short = kerac.utils.text_dataset_from_directory(
        folder, shuffle=False, max_length=7, verbose=False
    )
    assert short[0][0][0] == "cat 0 "  # half a letter is dropped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"directory": "/absent"}, "is no folder"),
        ({"labels": "guessed"}, "labels is 'guessed'"),
        ({"labels": [1]}, "there are 1 labels, but 9 files"),
        ({"label_mode": "roman", "verbose": False}, "label_mode is 'roman'"),
        ({"class_names": ["cow"]}, "class_names holds cow"),
        ({"class_names": ["cat"], "label_mode": "binary"}, "the classes are"),
        ({"validation_split": 0.5}, "must be given together"),
        ({"validation_split": 0.5, "subset": "training"}, "without a seed"),
        ({"validation_split": 2, "subset": "training"}, "validation_split is 2"),
        ({"validation_split": 0.5, "subset": "all", "seed": 1}, "subset is 'all'"),
        ({"validation_split": 0.01, "subset": "both", "seed": 1}, "which is too few"),
    ],
)
def test_mistakes_with_folders(folder: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((CompileError, FormatError), match=message):
        kerac.utils.image_dataset_from_directory(**{"directory": folder} | arguments)


def windows(data: Any, targets: Any, length: int, stride: int, rate: int, start: int, end: int):
    """Windows one at a time."""
    data, targets = data[start:end], targets[start:end]
    count = len(data) - (length - 1) * rate
    for first in range(0, count, stride):
        yield data[first : first + length * rate : rate], targets[first]


@pytest.mark.parametrize("seed", range(10))
def test_windows(seed: int) -> None:
    draw = np.random.default_rng(seed)
    data, targets = draw.normal(size=(60, 2)), np.arange(60)
    length, stride, rate = (int(n) for n in draw.integers(1, 5, 3))
    start, end = int(draw.integers(0, 10)), int(draw.integers(40, 60))
    dataset = kerac.utils.timeseries_dataset_from_array(
        data, targets, length, stride, rate, 7, start_index=start, end_index=end
    )
    expected = list(windows(data, targets, length, stride, rate, start, end))
    x, y = (np.concatenate(parts) for parts in zip(*dataset, strict=True))
    np.testing.assert_array_equal(x, np.stack([window for window, _ in expected]))
    assert y.tolist() == [target for _, target in expected]


def test_shuffled_windows() -> None:
    def epochs() -> list[list[float]]:
        dataset = kerac.utils.timeseries_dataset_from_array(
            np.arange(50), None, 3, batch_size=8, shuffle=True, seed=5
        )
        return [np.concatenate(list(dataset))[:, 0].tolist() for _ in range(2)]

    first, second = epochs()
    assert first != second
    assert sorted(first) == sorted(second) == list(range(48))
    assert epochs() == [first, second]
    with pytest.raises(CompileError, match="spans 60 steps, but there are 50"):
        kerac.utils.timeseries_dataset_from_array(np.arange(50), None, 60)


def numbers(count: int = 10) -> Dataset:
    return Dataset(count, lambda place: (np.float32(place), {"twice": 2 * place}))


def test_chains() -> None:
    read = []
    data = numbers().map(lambda x, y: (read.append(x) or x + 1, y["twice"])).cache()
    x, y = data.skip(2).take(5).batch(3)[1]
    assert (x.tolist(), y.tolist()) == ([6, 7], [10, 12])
    assert len(data.batch(3)) == 4
    assert len(data.batch(3, drop_remainder=True).prefetch(2)) == 3
    list(data)
    list(data)
    assert len(read) == 10
    order = [[int(x) for x, _ in numbers().shuffle(100, seed=1)] for _ in range(2)]
    assert order[0] == order[1] != list(range(10))
    assert data[-1] == (10, 18)
    with pytest.raises(IndexError):
        data[10]
    with pytest.raises(CompileError, match="batch_size is 0"):
        data.batch(0)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((0.7, None), (7, 3)), ((None, 2), (8, 2)), ((3, 4), (3, 4)), ((0.25, 0.5), (2, 5))],
)
def test_split(sizes: tuple, expected: tuple[int, int]) -> None:
    x, y = np.arange(10), np.arange(10) * 2
    left, right = kerac.utils.split_dataset((x, y), *sizes, shuffle=True, seed=1)
    assert (len(left), len(right)) == expected
    found = [*left, *right]
    assert len({int(x) for x, _ in found}) == len(found)
    assert all(y == 2 * x for x, y in found)
    again, _ = kerac.utils.split_dataset(numbers(), left_size=0.5)
    assert [int(x) for x, _ in again] == list(range(5))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((None, None), "needs left_size or right_size"),
        ((0.0, None), "left_size is 0.0"),
        ((10, None), "left_size is 10, but there are 10"),
        ((8, 7), "8 and 7 samples"),
        ((0.01, None), "each part needs one"),
    ],
)
def test_splits_that_do_not_fit(sizes: tuple, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        kerac.utils.split_dataset(np.arange(10), *sizes)
    with pytest.raises(CompileError, match=r"one length, but have \[2, 3\]"):
        kerac.utils.split_dataset((np.arange(2), np.arange(3)), 1)
