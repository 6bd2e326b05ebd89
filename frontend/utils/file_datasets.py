"""Images and texts in folders as data sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError, FormatError
from kerac.utils.dataset import Dataset
from kerac.utils.directory import Listed, check_split, encoded, list_files, shuffled
from kerac.utils.images import read_image, resized_to

IMAGE_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class _Request:
    """What both functions are asked for, the kind of file aside."""

    directory: PathLike
    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool

    def datasets(self, endings: tuple[str, ...], read: Callable[[str], Any]) -> Any:
        """The data set of all files or of a part, or a list of both parts."""
        check_split(self.validation_split, self.subset, self.shuffle, self.seed)
        labels = None if self.label_mode is None else self.labels
        files = list_files(self.directory, labels, self.class_names, endings, self.follow_links)
        if self.verbose:
            classes = f" belonging to {len(files.class_names)} classes" if files.class_names else ""
            print(f"Found {len(files.paths)} files{classes}.")
        seed = int(np.random.randint(10**6)) if self.seed is None else self.seed  # noqa: NPY002
        if self.shuffle:
            files = shuffled(files, seed)
        subsets = ("training", "validation") if self.subset == "both" else (self.subset,)
        parts = [files.part(subset, self.validation_split) for subset in subsets]
        if not all(part.paths for part in parts):
            raise FormatError(
                f"{self.directory}: holds {len(files.paths)} files that end in "
                f"{', '.join(endings)}, which is too few"
            )
        found = [
            self._dataset(part, read, self.shuffle and subset != "validation", seed)
            for part, subset in zip(parts, subsets, strict=True)
        ]
        return found if self.subset == "both" else found[0]

    def _dataset(
        self, files: Listed, read: Callable[[str], Any], shuffle: bool, seed: int
    ) -> Dataset:
        paths = files.paths
        if files.labels is None or self.label_mode is None:
            dataset = Dataset(len(paths), lambda place: read(paths[place]))
        else:
            labels = encoded(files.labels, self.label_mode, files.class_names)
            dataset = Dataset(len(paths), lambda place: (read(paths[place]), labels[place]))
            dataset.class_names = files.class_names
        dataset.file_paths = paths
        dataset = dataset.shuffle(seed=seed) if shuffle else dataset
        return dataset if self.batch_size is None else dataset.batch(self.batch_size)


def image_dataset_from_directory(
    directory: PathLike,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
) -> Any:
    """Batches of images f32[n, height, width, channels] of 0 ... 255, and labels.

    Each folder in `directory` is a class, in alphabetical order. `label_mode` says how labels are
    written: "int" i32[n], "binary" f32[n, 1], "categorical" f32[n, classes], None none at all.
    """
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    request = _Request(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose,
    )  # fmt: skip

    def read(path: str) -> Any:
        image = read_image(path, color_mode)
        return resized_to(
            image, size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, data_format
        )

    return request.datasets(IMAGE_ENDINGS, read)


def text_dataset_from_directory(
    directory: PathLike,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Batches of texts from `.txt` files, as arrays of strings, and labels.

    Texts are cut to `max_length` bytes. Folders and labels are those of images.
    """
    if max_length is not None and max_length < 1:
        raise CompileError(f"max_length is {max_length}, but at least 1 is expected")
    request = _Request(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose,
    )  # fmt: skip

    def read(path: str) -> Any:
        text = Path(path).read_bytes()[:max_length].decode("utf-8", errors="ignore")
        return np.array(text, dtype=object)

    return request.datasets((".txt",), read)
