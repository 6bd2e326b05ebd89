"""Texts, sequences and images made ready for a model, as older scripts do it."""

from kerac.preprocessing import image, sequence, text
from kerac.utils.file_datasets import image_dataset_from_directory, text_dataset_from_directory
from kerac.utils.timeseries import timeseries_dataset_from_array

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
