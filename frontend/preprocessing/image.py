"""Images from files and folders, where older scripts look for them."""

from kerac.utils.file_datasets import image_dataset_from_directory
from kerac.utils.images import array_to_img, img_to_array, load_img, save_img, smart_resize

__all__ = [
    "array_to_img",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "save_img",
    "smart_resize",
]
