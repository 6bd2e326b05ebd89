"""Weights: named arrays that layers own and training changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.backend import floatx
from kerac.eager import as_array
from kerac.initializers import start_of
from kerac.ir import Value
from kerac.ir.data import Data
from kerac.ir.errors import CompileError, ShapeError
from kerac.ir.types import DTYPES, TensorType, dtype_name
from kerac.names import automatic_name, scoped
from kerac.runtime import aligned_bytes
from kerac.variable_arithmetic import VariableArithmetic

if TYPE_CHECKING:
    from kerac.constraints import Constraint
    from kerac.regularizers import Regularizer

Array = np.ndarray[Any, np.dtype[Any]]



class Clock:
    """How often native code has written into arrays of variables."""

    ticks = 0


class Variable(VariableArithmetic):
    """An array with a name and a path, such as `encoder/dense/kernel`.

    A layer of a mixed policy reads it in the dtype to compute with, unless `autocast` is False.

    It is made from its initializer when it is first read, so that a model whose weights come from a
    file never makes others. `assign` puts another array in its place; graphs keep the old one.

    Training writes into the array of `live()` and lets `Clock.ticks` count; the variable shows
    copies from then on, one for every `version` that somebody reads.
    """

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: str | None = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        path: str | None = None,
    ) -> None:
        """From an array, or from an initializer and a shape.

        `aggregation` and `synchronization` change nothing.
        """
        del aggregation, synchronization
        self.name = name or automatic_name("Variable")
        self.path = path or scoped(self.name)
        if isinstance(initializer, str) or callable(initializer):
            if shape is None:
                raise CompileError(
                    f"{self.path}: is made by an initializer, but its shape is not given"
                )
            self.dtype = DTYPES[dtype_name(dtype or floatx())]
            self.shape = tuple(shape)
            self._initialize = start_of(initializer).later(self.shape, self.dtype)
        else:
            array = as_array(initializer)
            self.dtype = DTYPES[dtype_name(dtype or array.dtype)]
            self.shape = tuple(array.shape if shape is None else shape)
            array = np.array(np.broadcast_to(array, self.shape), self.type.numpy_dtype)
            self._initialize = lambda: array
        self.trainable = trainable
        self.autocast = autocast
        self.regularizer: Regularizer | None = None
        self.constraint: Constraint | None = None
        self._assigned = 0
        self._array: Array | None = None
        self._live: Array | None = None
        self._shown: tuple[int, int] | None = None

    @property
    def version(self) -> tuple[int, int]:
        """Differs between two values of the variable."""
        return self._assigned, Clock.ticks if self._live is not None else 0

    @property
    def array(self) -> Array:
        """The value, read-only; it stays what it is when the variable changes."""
        if self._live is not None and (self._array is None or self._shown != self.version):
            self._array, self._shown = self._frozen(self._live.copy()), self.version
        if self._array is None:
            self._array = self._frozen(self._initialize())
        return self._array

    def live(self) -> Array:
        """The memory that training writes into, the same array from the first call on."""
        if self._live is None:
            self._live = aligned(self.array)
        return self._live

    def current(self) -> Array:
        """The value for one read at once: where training writes, that very memory."""
        return self.array if self._live is None else self._live

    def numpy(self) -> Array:
        """A copy of the value."""
        return self.current().copy()

    def assign(self, value: Any) -> Variable:
        """Copy `value`, which must have the variable's shape.

        Where a layer or a metric states what it computes, a value of the graph becomes the
        variable's value after the step.
        """
        if isinstance(value, Value):
            from kerac.tracing import update

            update(self, value)
            return self
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ShapeError(
                f"{self.path}: has shape {self.shape}, but the new value has shape {array.shape}"
            )
        return self.take(np.array(array, self.type.numpy_dtype) if self._live is None else array)

    def take(self, array: Array) -> Variable:
        """`assign` an array of the right shape and dtype that nobody else writes into."""
        if self._live is None:
            self._array = self._frozen(array)
        else:
            self._live[...] = array
        self._assigned += 1
        return self

    @property
    def value(self) -> Array:
        """The value, as Keras spells it."""
        return self.array

    def as_value(self) -> Any:
        """The weight in the graph in the making; its array where none is made."""
        from kerac.tracing import is_tracing, traced

        return traced(self) if is_tracing() else self.array

    def assign_add(self, value: Any) -> Any:
        """Add to the variable; in a graph it is the new value from then on."""
        return self.assign(self + value)

    def assign_sub(self, value: Any) -> Any:
        """Subtract from the variable, as `assign_add` adds."""
        return self.assign(self - value)

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

    def __float__(self) -> float:
        return float(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"

    def _frozen(self, array: Array) -> Array:
        array.flags.writeable = False
        return array


def aligned(array: Array) -> Array:
    """A copy whose memory begins where vectors do."""
    copy = aligned_bytes(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
