"""The place where Keras 2 kept `to_categorical`."""

from kerac.utils.numerical import normalize, to_categorical

__all__ = ["normalize", "to_categorical"]
