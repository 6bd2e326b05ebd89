"""Weights: named arrays that layers own and training changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.data import Data
from kerac.ir.errors import ShapeError
from kerac.ir.types import TensorType, dtype_name

if TYPE_CHECKING:
    from kerac.initializers import Initializer

Array = np.ndarray[Any, np.dtype[Any]]


class Variable:
    """An array with a name and a path, such as `encoder/dense/kernel`.

    It is made from its initializer when it is first read, so that a model whose weights come from a
    file never makes others. `assign` puts another array in its place; graphs keep the old one.
    """

    def __init__(
        self,
        name: str,
        path: str,
        shape: tuple[int, ...],
        dtype: str,
        initializer: Initializer,
        trainable: bool = True,
    ) -> None:
        self.name = name
        self.path = path
        self.shape = shape
        self.dtype = dtype
        self.trainable = trainable
        self.version = 0
        self._initialize = initializer.later(shape, dtype)
        self._array: Array | None = None

    @property
    def array(self) -> Array:
        """The value, read-only."""
        if self._array is None:
            self._array = self._frozen(self._initialize())
        return self._array

    def numpy(self) -> Array:
        """A copy of the value."""
        return self.array.copy()

    def assign(self, value: Any) -> None:
        """Copy `value`, which must have the variable's shape."""
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ShapeError(
                f"{self.path}: has shape {self.shape}, but the new value has shape {array.shape}"
            )
        self._array = self._frozen(np.array(array, dtype=self.dtype))
        self.version += 1

    @property
    def type(self) -> TensorType:
        """The type in a graph."""
        return TensorType(dtype_name(self.dtype), self.shape)

    def data(self, read: bool = True) -> Data:
        """The value for a graph, or only its type where it is not to be `read`."""
        if read:
            return Data(self.array)
        return Data(None, type=self.type, digest=f"parameter {self.path}")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.array.astype(dtype) if dtype else (self.numpy() if copy else self.array)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"

    def _frozen(self, array: Array) -> Array:
        array.flags.writeable = False
        return array
