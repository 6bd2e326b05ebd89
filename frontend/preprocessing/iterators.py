"""Batches of changed images, by their number or one after the other without end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kerac.ir.errors import CompileError, ShapeError
from kerac.random import new_seed
from kerac.training.streams import PyDataset
from kerac.utils.directory import Listed, list_files
from kerac.utils.images import array_to_img, img_to_array, load_img

if TYPE_CHECKING:
    from kerac.preprocessing.generator import ImageDataGenerator

Array = np.ndarray[Any, np.dtype[Any]]
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")
CLASS_MODES = ("categorical", "binary", "sparse", "input", None)


class Saving(NamedTuple):
    """Where images are written to for somebody to look at."""

    folder: str | None
    prefix: str
    ending: str


class Iterator(PyDataset):
    """Base: `n` samples in batches; with a seed each batch has random numbers of its own."""

    def __init__(
        self,
        n: int,
        generator: ImageDataGenerator,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        saving: Saving,
    ) -> None:
        super().__init__()
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.image_data_generator, self.saving = generator, saving
        self.total_batches_seen = 0
        self.batch_index = 0
        self._order: Array | None = None

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise IndexError(f"batch {index} is asked for, but there are {len(self)}")
        random = self._random()
        if self._order is None:
            self._order = self._new_order(random)
        start = self.batch_size * index
        return self.batch(self._order[start : start + self.batch_size], random)

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        random = self._random()
        if self.batch_index == 0 or self._order is None:
            self._order = self._new_order(random)
        start = self.batch_index * self.batch_size
        self.batch_index = (self.batch_index + 1) % max(len(self), 1)
        return self.batch(self._order[start : start + self.batch_size], random)

    next = __next__

    def reset(self) -> None:
        """Begin anew with the first batch."""
        self.batch_index = 0

    def on_epoch_end(self) -> None:
        self._order = None

    def _random(self) -> np.random.RandomState:
        seed = new_seed() % 2**32 if self.seed is None else self.seed + self.total_batches_seen
        self.total_batches_seen += 1
        return np.random.RandomState(seed)

    def _new_order(self, random: np.random.RandomState) -> Array:
        order: Array = random.permutation(self.n) if self.shuffle else np.arange(self.n)
        return order

    def batch(self, rows: Array, random: np.random.RandomState) -> Any:
        """The batch of these samples."""
        raise CompileError(f"{type(self).__name__}: does not say what a batch is")

    def changed(self, image: Array, random: np.random.RandomState) -> Array:
        """One image, changed and standardized."""
        generator = self.image_data_generator
        drawn = generator.get_random_transform(image.shape, random=random)
        return generator.standardize(generator.apply_transform(image, drawn))

    def save(self, images: Array, rows: Array) -> None:
        """Write the images of a batch, if a folder was named."""
        if self.saving.folder is None:
            return
        for image, row in zip(images, rows, strict=True):
            name = f"{self.saving.prefix}_{row}_{new_seed() % 10**7}.{self.saving.ending}"
            picture = array_to_img(image, self.image_data_generator.data_format, scale=True)
            picture.save(Path(self.saving.folder) / name)

    def part(self, count: int, subset: str | None) -> slice:
        """Which of `count` samples belong to a subset; those to validate with come first."""
        if subset not in (None, "training", "validation"):
            raise CompileError(
                f"subset is {subset!r}, but 'training' or 'validation' is expected"
            )
        cut = int(self.image_data_generator.validation_split * count)
        return slice(cut) if subset == "validation" else slice(cut if subset else 0, None)


class NumpyArrayIterator(Iterator):
    """Images in memory."""

    def __init__(
        self,
        data: tuple[Any, Any, Any],
        generator: ImageDataGenerator,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        saving: Saving,
        subset: str | None,
    ) -> None:
        self.image_data_generator = generator
        x, y, sample_weight = data
        others = []
        if isinstance(x, tuple | list):
            x, more = x
            others = [np.asarray(array) for array in (more if isinstance(more, list) else [more])]
        images = np.asarray(x, generator.dtype)
        if images.ndim != 4:
            raise ShapeError(f"images have 4 axes, but the array has the shape {images.shape}")
        given = [None if array is None else np.asarray(array) for array in (y, sample_weight)]
        known = [array for array in (*others, *given) if array is not None]
        if any(len(array) != len(images) for array in known):
            lengths = ", ".join(str(len(array)) for array in (images, *known))
            raise CompileError(f"all arrays need the same number of samples, but have {lengths}")
        rows = self.part(len(images), subset)
        self.x, self.x_misc = images[rows], [array[rows] for array in others]
        self.y, self.sample_weight = (None if a is None else a[rows] for a in given)
        super().__init__(len(self.x), generator, batch_size, shuffle, seed, saving)

    def batch(self, rows: Array, random: np.random.RandomState) -> Any:
        images = np.stack([self.changed(self.x[row], random) for row in rows])
        images = images.astype(self.image_data_generator.dtype)
        self.save(images, rows)
        inputs = [images, *(array[rows] for array in self.x_misc)] if self.x_misc else images
        if self.y is None:
            return inputs
        weights = () if self.sample_weight is None else (self.sample_weight[rows],)
        return (inputs, self.y[rows], *weights)


class DirectoryIterator(Iterator):
    """Images in files, read when they are needed."""

    def __init__(
        self,
        files: tuple[Any, Any, bool, str | None],
        read: Mapping[str, Any],
        generator: ImageDataGenerator,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        saving: Saving,
        subset: str | None,
    ) -> None:
        self.image_data_generator = generator
        directory, classes, follow_links, self.class_mode = files
        if self.class_mode not in CLASS_MODES:
            raise CompileError(
                f"class_mode is {self.class_mode!r}, but one of {CLASS_MODES} is expected"
            )
        listed = list_files(directory, "inferred", classes, ENDINGS, follow_links)
        paths, numbers = self._of_subset(listed, subset)
        self.read, self.filepaths, self.classes = read, paths, numbers
        self.filenames = [os.path.relpath(path, directory) for path in paths]
        self.class_indices = {name: place for place, name in enumerate(listed.class_names)}
        self.num_classes, self.samples = len(listed.class_names), len(paths)
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        super().__init__(self.samples, generator, batch_size, shuffle, seed, saving)

    def _of_subset(self, listed: Listed, subset: str | None) -> tuple[list[str], Array]:
        """The share of each class that a subset has."""
        numbers = np.asarray(listed.labels)
        chosen = []
        for number in range(len(listed.class_names)):
            places = np.flatnonzero(numbers == number)
            chosen += places[self.part(len(places), subset)].tolist()
        return [listed.paths[place] for place in chosen], numbers[chosen].astype(np.int32)

    @property
    def labels(self) -> Array:
        """The class of each file."""
        return self.classes

    def batch(self, rows: Array, random: np.random.RandomState) -> Any:
        generator = self.image_data_generator
        images = np.stack([self._image(self.filepaths[row], random) for row in rows])
        images = images.astype(generator.dtype)
        self.save(images, rows)
        if self.class_mode is None:
            return images
        if self.class_mode == "input":
            return images, images.copy()
        labels = self.classes[rows]
        if self.class_mode == "categorical":
            return images, np.eye(self.num_classes, dtype=generator.dtype)[labels]
        return images, labels.astype(generator.dtype)

    def _image(self, path: str, random: np.random.RandomState) -> Array:
        with load_img(path, **self.read) as image:
            array = img_to_array(image, self.image_data_generator.data_format)
        return self.changed(array, random)
