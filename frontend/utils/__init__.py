"""What scripts for Keras use around a model: labels, sequences, seeds."""

from kerac.names import clear_session
from kerac.training.streams import PyDataset
from kerac.utils import np_utils
from kerac.utils.files import get_file
from kerac.utils.numerical import normalize, to_categorical
from kerac.utils.seeding import set_random_seed
from kerac.utils.sequences import pad_sequences

Sequence = PyDataset

__all__ = [
    "PyDataset",
    "Sequence",
    "clear_session",
    "get_file",
    "normalize",
    "np_utils",
    "pad_sequences",
    "set_random_seed",
    "to_categorical",
]
