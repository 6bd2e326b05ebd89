"""What scripts for Keras use around a model: labels, sequences, seeds."""

from importlib import import_module
from typing import Any

from kerac.backend import is_keras_tensor
from kerac.dtypes import standardize_dtype
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
from kerac.utils.configuration import Config
from kerac.utils.file_datasets import image_dataset_from_directory, text_dataset_from_directory
from kerac.utils.files import get_file
from kerac.utils.images import array_to_img, img_to_array, load_img, save_img
from kerac.utils.numerical import normalize, to_categorical
from kerac.utils.seeding import set_random_seed
from kerac.utils.sequences import pad_sequences
from kerac.utils.splitting import split_dataset
from kerac.utils.tensors import (
    get_source_inputs,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from kerac.utils.timeseries import timeseries_dataset_from_array

Sequence = PyDataset


_ELSEWHERE = {
    "Progbar": "kerac.callbacks.progress",
    "deserialize_keras_object": "kerac.saving.objects",
    "serialize_keras_object": "kerac.saving.objects",
    "disable_interactive_logging": "kerac.config",
    "enable_interactive_logging": "kerac.config",
    "is_interactive_logging_enabled": "kerac.config",
}


def __getattr__(name: str) -> Any:
    """What comes with training, imported when it is first named."""
    if name in _ELSEWHERE:
        return getattr(import_module(_ELSEWHERE[name]), name)
    raise AttributeError(f"module 'kerac.utils' has no attribute {name!r}")


__all__ = [
    "Config",
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
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_keras_tensor",
    "load_img",
    "model_to_dot",
    "normalize",
    "np_utils",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
    "vis_utils",
]
