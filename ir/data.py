"""Arrays inside a graph: immutable, compared by content, printed in full only when small."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np

from kerac.ir.errors import FormatError
from kerac.ir.types import TensorType, numpy_dtype, type_of

INLINE_LIMIT = 8  # elements


class Data:
    """An array that nobody writes to, or only its type and digest where text came without it."""

    def __init__(
        self, array: Any, *, type: TensorType | None = None, digest: str | None = None
    ) -> None:
        """Take `array` without a copy; the caller must not write to it any more."""
        self._array: np.ndarray | None = None
        if array is not None:
            self._array = np.asarray(array).view()
            self._array.flags.writeable = False
            type = type_of(self._array)
        if type is None:
            raise FormatError("a constant without an array needs a declared type")
        self.type = type
        self._digest = digest

    @property
    def array(self) -> np.ndarray:
        """The array, read-only."""
        if self._array is None:
            raise FormatError(
                f"the values of a constant {self.type} with digest {self._digest} are not known",
                remedy="Pass the arrays by name or digest to parse(text, arrays=...).",
            )
        return self._array

    @property
    def is_known(self) -> bool:
        """Whether the array itself is here, and not only its type."""
        return self._array is not None

    @cached_property
    def digest(self) -> str:
        """Short hash of dtype, shape and bytes."""
        if self._digest is not None:
            return self._digest
        hasher = hashlib.blake2b(str(self.type).encode(), digest_size=8)
        hasher.update(
            np.ascontiguousarray(self.array).view(np.uint8).data if self.array.size else b""
        )
        return hasher.hexdigest()

    def text(self) -> str:
        """A number, a nested list, or `"#digest"`."""
        if self._array is None or self._array.size > INLINE_LIMIT:
            return f'"#{self.digest}"'
        return _list_text(self._array)

    def scalar_text(self) -> str | None:
        """The number where the array is a scalar that is known, else None."""
        return (
            _list_text(self._array) if self._array is not None and self._array.ndim == 0 else None
        )

    @classmethod
    def from_literal(cls, literal: Any, type: TensorType) -> Data:
        """Read what `text` wrote."""
        if isinstance(literal, str):
            return cls(None, type=type, digest=literal.removeprefix("#"))
        array = np.array(literal, dtype=numpy_dtype(type.dtype))
        # an array without elements prints as nested empty lists, which lose trailing axes
        return cls(array.reshape(type.shape) if array.size == 0 else array)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Data) and self.type == other.type and self.digest == other.digest

    def __hash__(self) -> int:
        return hash((self.type, self.digest))

    def __repr__(self) -> str:
        return self.text()


def _list_text(array: Any) -> str:
    """The text of an array, or of one of the NumPy scalars that it holds."""
    if array.ndim:
        return f"[{', '.join(map(_list_text, array))}]"
    if array.dtype.kind in "biu":
        return repr(array.item())
    # the shortest decimal that reads back to the same number of this dtype
    if 1e-4 <= abs(float(array)) < 1e16:
        return np.format_float_positional(array[()], trim="0")
    return repr(float(array)) if array.dtype == np.float64 else _short_float(array)


def _short_float(array: Any) -> str:
    if not np.isfinite(array.astype(np.float64)):
        return repr(float(array))
    return (
        "0.0"
        if array == 0 and not np.signbit(array)
        else np.format_float_scientific(array[()], trim="0")
    )
