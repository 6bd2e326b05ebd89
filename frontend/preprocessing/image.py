"""Images from files and folders, where older scripts look for them."""

from kerac.preprocessing.augmentation import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
)
from kerac.preprocessing.generator import ImageDataGenerator
from kerac.preprocessing.iterators import DirectoryIterator, Iterator, NumpyArrayIterator
from kerac.utils.file_datasets import image_dataset_from_directory
from kerac.utils.images import array_to_img, img_to_array, load_img, save_img, smart_resize

__all__ = [
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "save_img",
    "smart_resize",
]
