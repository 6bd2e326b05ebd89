"""Labels as vectors, and arrays of length one."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.ir.errors import CompileError

Array = np.ndarray[Any, np.dtype[Any]]


def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """Class numbers as vectors that are 1 at the class and 0 elsewhere, classes last.

    Without `num_classes` there are as many as the largest number says. A last axis of length 1 is
    dropped first: labels of shape (n, 1) give (n, num_classes).
    """
    labels = np.array(x, dtype="int64")
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    labels = labels.reshape(-1)
    if not num_classes:
        if not labels.size:
            raise CompileError("to_categorical: there are no labels, so num_classes must be given")
        num_classes = int(labels.max()) + 1
    outside = labels[(labels < 0) | (labels >= num_classes)]
    if outside.size:
        raise CompileError(
            f"to_categorical: there are {num_classes} classes, but {outside.size} labels are not "
            f"in 0 ... {num_classes - 1}, the first {outside[0]}"
        )
    vectors = np.zeros((labels.size, num_classes))
    vectors[np.arange(labels.size), labels] = 1
    return vectors.reshape(*shape, num_classes)


def normalize(x: Any, axis: int = -1, order: Any = 2) -> Array:
    """x divided by its norm along `axis`; what has norm 0 stays 0."""
    array = np.asarray(x)
    norm = np.linalg.norm(array, order, axis, keepdims=True)
    return np.asarray(array / np.where(norm == 0, 1, norm))
