"""`ImageDataGenerator`: batches of images that differ from epoch to epoch, as in Keras 2."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerac import backend
from kerac.ir.errors import CompileError, ShapeError
from kerac.preprocessing.augmentation import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
)
from kerac.preprocessing.iterators import DirectoryIterator, NumpyArrayIterator, Saving
from kerac.random import new_seed

Array = np.ndarray[Any, np.dtype[Any]]
SMALLEST = 1e-6


class ImageDataGenerator:
    """Says how images are changed by chance, and how they are brought into a range.

    `fit` finds what the featurewise arguments and whitening need. The layers `RandomFlip` and so on
    do the like as native code.
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Array], Array] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: str | None = None,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name != "self"}
        for name, value in arguments.items():
            setattr(self, name, value)
        self.data_format = data_format or backend.image_data_format()
        self.dtype = dtype or backend.floatx()
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean: Array | None = None
        self.std: Array | None = None
        self.zca_whitening_matrix: Array | None = None
        self._check()

    # What `__init__` takes; set there by name.
    featurewise_center: bool
    samplewise_center: bool
    featurewise_std_normalization: bool
    samplewise_std_normalization: bool
    zca_whitening: bool
    zca_epsilon: float
    rotation_range: float
    width_shift_range: Any
    height_shift_range: Any
    brightness_range: Sequence[float] | None
    shear_range: float
    zoom_range: Any
    channel_shift_range: float
    fill_mode: str
    cval: float
    horizontal_flip: bool
    vertical_flip: bool
    rescale: float | None
    preprocessing_function: Callable[[Array], Array] | None
    validation_split: float
    interpolation_order: int

    def _check(self) -> None:
        if not 0 <= self.validation_split < 1:
            raise CompileError(
                f"ImageDataGenerator: validation_split is {self.validation_split}, "
                "but must lie between 0 and 1"
            )
        if isinstance(self.zoom_range, int | float):
            self.zoom_range = (1 - self.zoom_range, 1 + self.zoom_range)
        if len(self.zoom_range) != 2:
            raise CompileError(
                f"ImageDataGenerator: zoom_range is {self.zoom_range!r}, "
                "but a number or two are expected"
            )
        if self.zca_whitening or self.featurewise_std_normalization:
            self.featurewise_center = True
        if self.zca_whitening:
            self.featurewise_std_normalization = False
        if self.samplewise_std_normalization:
            self.samplewise_center = True

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of images t[n, ...] in memory, with labels and weights where given."""
        del ignore_class_split  # classes may differ between the parts
        data, saving = (x, y, sample_weight), Saving(save_to_dir, save_prefix, save_format)
        return NumpyArrayIterator(data, self, batch_size, shuffle, seed, saving, subset)

    def flow_from_directory(
        self,
        directory: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of images in files; each folder in `directory` is a class."""
        saving = Saving(save_to_dir, save_prefix, save_format)
        read = {
            "color_mode": color_mode,
            "target_size": tuple(target_size),
            "interpolation": interpolation,
            "keep_aspect_ratio": keep_aspect_ratio,
        }
        files = (directory, classes, follow_links, class_mode)
        return DirectoryIterator(files, read, self, batch_size, shuffle, seed, saving, subset)

    def get_random_transform(
        self, img_shape: tuple[int, ...], seed: int | None = None, random: Any = None
    ) -> dict[str, Any]:
        """Numbers drawn for one image, in the order in which Keras draws them."""
        random = random or np.random.RandomState(new_seed() % 2**32 if seed is None else seed)
        drawn: dict[str, Any] = {"theta": 0, "shear": 0, "zx": 1, "zy": 1}
        if self.rotation_range:
            drawn["theta"] = random.uniform(-self.rotation_range, self.rotation_range)
        sides = (("tx", self.height_shift_range, 0), ("ty", self.width_shift_range, 1))
        for name, extent, side in sides:
            length = img_shape[(self.row_axis, self.col_axis)[side] - 1]
            drawn[name] = _shift(extent, length, random) if np.any(extent) else 0
        if self.shear_range:
            drawn["shear"] = random.uniform(-self.shear_range, self.shear_range)
        if tuple(self.zoom_range) != (1, 1):
            drawn["zx"], drawn["zy"] = random.uniform(*self.zoom_range, 2)
        drawn["flip_horizontal"] = (random.random_sample() < 0.5) * self.horizontal_flip
        drawn["flip_vertical"] = (random.random_sample() < 0.5) * self.vertical_flip
        drawn["channel_shift_intensity"] = drawn["brightness"] = None
        if self.channel_shift_range:
            extent = self.channel_shift_range
            drawn["channel_shift_intensity"] = random.uniform(-extent, extent)
        if self.brightness_range is not None:
            drawn["brightness"] = random.uniform(*self.brightness_range)
        return drawn

    def apply_transform(self, x: Array, transform_parameters: dict[str, Any]) -> Array:
        """One image, changed as the numbers say."""
        given = transform_parameters.get
        names = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1}
        row, column = self.row_axis - 1, self.col_axis - 1
        x = apply_affine_transform(
            x,
            **{name: given(name, default) for name, default in names.items()},
            row_axis=row,
            col_axis=column,
            channel_axis=self.channel_axis - 1,
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
        )
        intensity, brightness = given("channel_shift_intensity"), given("brightness")
        if intensity is not None:
            x = apply_channel_shift(x, intensity, self.channel_axis - 1)
        for name, axis in (("flip_horizontal", column), ("flip_vertical", row)):
            x = flip_axis(x, axis) if given(name) else x
        if brightness is not None:
            x = apply_brightness_shift(x, brightness, False)
        return x

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """One image, changed by chance."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: Array) -> Array:
        """One image brought into the range that was asked for."""
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * np.asarray(self.rescale, x.dtype)
        if self.samplewise_center:
            x = x - x.mean(keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (x.std(keepdims=True) + SMALLEST)
        return self._whitened(x)

    def _whitened(self, x: Array) -> Array:
        """One image less the mean of all, and so on, as far as `fit` found these."""
        found = {
            "featurewise_center": self.mean,
            "featurewise_std_normalization": self.std,
            "zca_whitening": self.zca_whitening_matrix,
        }
        missing = [name for name, array in found.items() if getattr(self, name) and array is None]
        if missing:
            warnings.warn(
                f"ImageDataGenerator: {missing[0]} is asked for, but `fit(images)` was not called",
                stacklevel=3,
            )
        if self.mean is not None:
            x = x - self.mean
        if self.std is not None:
            x = x / (self.std + SMALLEST)
        if self.zca_whitening_matrix is not None:
            x = (x.reshape(1, -1) @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    def fit(
        self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None
    ) -> None:
        """Find the means, deviations and directions of images t[n, ...]."""
        images = np.array(x, dtype=self.dtype)
        if images.ndim != 4:
            raise ShapeError(f"images have 4 axes, but the array has the shape {images.shape}")
        if self.rescale:
            images *= self.rescale
        if augment:
            random = np.random.RandomState(new_seed() % 2**32 if seed is None else seed)
            images = np.stack([
                self.apply_transform(image, self.get_random_transform(image.shape, random=random))
                for _ in range(rounds)
                for image in images
            ])  # fmt: skip
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = images.mean(axes, keepdims=True)[0]
            images -= self.mean
        if self.featurewise_std_normalization:
            self.std = images.std(axes, keepdims=True)[0]
            images /= self.std + SMALLEST
        if self.zca_whitening:
            flat = images.reshape(len(images), -1)
            directions, sizes, _ = np.linalg.svd(flat.T, full_matrices=False)
            factors = np.sqrt(len(images)) / (sizes + self.zca_epsilon)
            self.zca_whitening_matrix = (directions * factors) @ directions.T


def _shift(extent: Any, length: int, random: Any) -> float:
    """A distance in pixels: one of several, or up to `extent`, below 1 a part of the length."""
    if np.ndim(extent) or isinstance(extent, int):
        distance = float(random.choice(extent)) * float(random.choice([-1, 1]))
    else:
        distance = float(random.uniform(-extent, extent))
    return distance * length if np.max(extent) < 1 else distance
