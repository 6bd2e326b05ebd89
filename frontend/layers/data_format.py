"""Where channels stand: the IR has them last always; `channels_first` is transposes around it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from kerac import backend
from kerac.convert import Conversion, NotConvertibleError
from kerac.ir import Value, ops

DataFormat = Literal["channels_last", "channels_first"]
FORMATS = ("channels_last", "channels_first")


def _read(value: Any) -> str:
    """The format itself, or that of the backend for None."""
    if value is None:
        return backend.image_data_format()
    if value not in FORMATS:
        raise NotConvertibleError
    return str(value)


GivenDataFormat = Annotated[
    DataFormat | None, Conversion(_read, lambda value: value, f"one of {FORMATS} or None")
]
"""The kind of a layer's field that says where channels stand; None means as the backend says."""


def to_last(x: Value, data_format: DataFormat | None) -> Value:
    """x: t[N, C, *spatial] -> t[N, *spatial, C] if channels come first; x itself otherwise."""
    if data_format != "channels_first":
        return x
    return ops.transpose(x, (0, *range(2, x.ndim), 1))


def from_last(x: Value, data_format: DataFormat | None) -> Value:
    """x: t[N, *spatial, C] -> t[N, C, *spatial] if channels come first; x itself otherwise."""
    if data_format != "channels_first":
        return x
    return ops.transpose(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def channel_axis(data_format: DataFormat | None) -> int:
    """The axis of channels as Keras counts it."""
    return 1 if data_format == "channels_first" else -1


def spatial_axes(ndim: int, data_format: DataFormat | None) -> tuple[int, ...]:
    """The axes that are neither batch nor channels."""
    return tuple(range(2, ndim)) if data_format == "channels_first" else tuple(range(1, ndim - 1))
