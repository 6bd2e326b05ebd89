"""What scripts for Keras use around a model: labels, sequences, seeds."""

from typing import Any

from kerac.models.plot import model_to_dot, plot_model
from kerac.names import clear_session
from kerac.registration import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from kerac.training.streams import PyDataset
from kerac.utils import np_utils, vis_utils
from kerac.utils.file_datasets import image_dataset_from_directory, text_dataset_from_directory
from kerac.utils.files import get_file
from kerac.utils.images import array_to_img, img_to_array, load_img, save_img
from kerac.utils.numerical import normalize, to_categorical
from kerac.utils.seeding import set_random_seed
from kerac.utils.sequences import pad_sequences
from kerac.utils.splitting import split_dataset
from kerac.utils.timeseries import timeseries_dataset_from_array

Sequence = PyDataset


def __getattr__(name: str) -> Any:
    """The progress bar, which comes with the callbacks."""
    if name == "Progbar":
        from kerac.callbacks.progress import Progbar

        return Progbar
    raise AttributeError(f"module 'kerac.utils' has no attribute {name!r}")


__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "model_to_dot",
    "normalize",
    "np_utils",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "set_random_seed",
    "split_dataset",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "vis_utils",
]
