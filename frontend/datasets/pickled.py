"""Pickled lists and arrays, read without running what a pickle says.

A pickle is a program that calls what it names. Here every name it may use stands for an object of
ours that only takes notes; arrays are made afterwards, from bytes and a closed table of dtypes.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from kerac.ir.errors import FormatError

MOST_BYTES = 2 << 30
MOST_NUMBERS = 200_000_000
DTYPES = {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"}
Array = np.ndarray[Any, np.dtype[Any]]


class PickledDtype:
    """The dtype that a pickle describes."""

    __slots__ = ("kind", "order")

    def __init__(self, kind: Any) -> None:
        self.kind = _text(kind)
        self.order = "|"

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or _text(state[1]) not in "|<>=":
            raise pickle.UnpicklingError("describes a dtype in a way that nobody writes")
        self.order = _text(state[1])


class PickledArray:
    """The array that a pickle describes."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def items(self) -> list[Any]:
        """The elements of an array of objects with one axis."""
        match self.state:
            case (_, (int() as length,), PickledDtype() as dtype, _, list() as items):
                if dtype.kind in ("O", "O8") and len(items) == length:
                    return items
        raise FormatError("a list of sequences is expected, but another array is there")

    def array(self) -> Array:
        """The array, of numbers."""
        match self.state:
            case (_, tuple() as shape, PickledDtype() as dtype, _, bytes() as data):
                if dtype.kind in DTYPES and all(isinstance(n, int) and n >= 0 for n in shape):
                    kind = np.dtype(dtype.order.replace("=", "<") + dtype.kind)
                    order = "F" if self.state[3] else "C"
                    if np.prod([*shape, kind.itemsize], dtype=object) == len(data):
                        return np.frombuffer(data, kind).reshape(shape, order=order)  # type: ignore[call-overload,no-any-return]
        raise FormatError("an array of numbers is expected, but something else is there")


class _StandIn:
    """What a name in a pickle stands for: nothing that can be changed."""

    __slots__ = ("_made",)

    def __init__(self, made: Callable[..., Any]) -> None:
        self._made = made

    def __call__(self, *args: Any) -> Any:
        return self._made(*args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("changes what it may only call")


def _encoded(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encodes bytes by {encoding!r:.40}")
    return text.encode(encoding)


MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): lambda: None,
    ("numpy", "dtype"): lambda kind, *_: PickledDtype(kind),
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: PickledArray(),
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: PickledArray(),
    # how protocols before 3 write bytes
    ("_codecs", "encode"): _encoded,
}


class RestrictedUnpickler(pickle.Unpickler):
    """Reads numbers, texts, lists, dictionaries and notes of arrays; refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        maker = MAKERS.get((module, name))
        if maker is None:
            raise pickle.UnpicklingError(f"names {module}.{name}, which is no array")
        return _StandIn(maker)


def read_pickle(data: bytes, encoding: str = "ASCII") -> Any:
    """The value in a pickle, with `PickledArray` in place of arrays."""
    if len(data) > MOST_BYTES:
        raise FormatError(f"a pickle has {len(data)} bytes, but {MOST_BYTES} are the limit")
    try:
        return RestrictedUnpickler(io.BytesIO(data), encoding=encoding).load()
    except Exception as error:  # whatever a broken pickle makes the unpickler stumble over
        raise FormatError(f"a pickle cannot be read: {error!s:.200}") from None


def rows_of_integers(array: PickledArray) -> list[list[int]]:
    """The lists of integers that an array of objects holds."""
    rows = array.items()
    total = 0
    for row in rows:
        if not isinstance(row, list):
            raise FormatError(
                f"lists of integers are expected, but there is a {type(row).__name__}"
            )
        total += len(row)
        if total > MOST_NUMBERS:
            raise FormatError(f"there are more than {MOST_NUMBERS} numbers, which is the limit")
        if not all(type(number) is int for number in row):
            raise FormatError("lists of integers are expected, but one holds something else")
    return rows


def integers(value: Any) -> Array:
    """A list of integers, or an array, as an array."""
    if isinstance(value, PickledArray):
        return value.array()
    if isinstance(value, list) and all(type(number) is int for number in value):
        try:
            return np.array(value, np.int64)
        except OverflowError:
            pass
    raise FormatError("a list of integers is expected, but something else is there")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin1")
    if not isinstance(value, str):
        raise pickle.UnpicklingError("describes a dtype in a way that nobody writes")
    return value
