"""What scripts for Keras ask of `keras.backend`."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from kerac.dtypes import FLOATS, is_float_dtype, is_int_dtype, result_type, standardize_dtype
from kerac.ir.errors import CompileError
from kerac.ir.types import dtype_name, numpy_dtype
from kerac.names import clear_session as _clear_names

_settings: dict[str, Any] = {
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "floatx": "float32",
}
_uids: defaultdict[str, int] = defaultdict(int)


def backend() -> str:
    """What computes."""
    return "kerac"


def epsilon() -> float:
    """The number that keeps divisions from dividing by zero."""
    return float(_settings["epsilon"])


def set_epsilon(value: float) -> None:
    """Change what `epsilon()` returns."""
    _settings["epsilon"] = float(value)


def floatx() -> str:
    """The dtype of weights and computations where no policy says another one."""
    return str(_settings["floatx"])


def set_floatx(value: str) -> None:
    """Choose the dtype of what is made from now on without a policy."""
    if value not in FLOATS:
        raise CompileError(f"floatx is set to {value!r}, but {', '.join(FLOATS)} are known")
    _settings["floatx"] = value


def cast_to_floatx(x: Any) -> np.ndarray[Any, Any]:
    """x as an array of `floatx`."""
    return np.asarray(x).astype(numpy_dtype(dtype_name(floatx())))


def image_data_format() -> str:
    """Where channels stand unless a layer says otherwise."""
    return str(_settings["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    """Say where channels stand in layers that are made from now on."""
    if data_format not in ("channels_last", "channels_first"):
        raise CompileError(
            f"image data format is set to {data_format!r}, "
            "but 'channels_last' or 'channels_first' is expected"
        )
    _settings["image_data_format"] = data_format


def image_dim_ordering() -> str:
    """Where channels stand, in the words of Keras 1."""
    return "th" if image_data_format() == "channels_first" else "tf"


def is_keras_tensor(x: Any) -> bool:
    """Whether x is what a layer returns for an `Input`."""
    from kerac.tensor import KerasTensor

    return isinstance(x, KerasTensor)


def get_uid(prefix: str = "") -> int:
    """1, 2, ... for each prefix."""
    _uids[prefix] += 1
    return _uids[prefix]


def reset_uids() -> None:
    """Start to count anew."""
    _uids.clear()


def clear_session() -> None:
    """Start to count names anew."""
    _clear_names()
    reset_uids()


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The lengths of the axes of a tensor or an array, None where one is not known."""
    return tuple(x.shape)


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(x.shape)


def get_value(x: Any) -> np.ndarray[Any, Any]:
    """A copy of the value of a weight."""
    return np.array(x)


def set_value(x: Any, value: Any) -> None:
    """Give a weight another value."""
    x.assign(value)


__all__ = [
    "backend",
    "cast_to_floatx",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "get_value",
    "image_data_format",
    "image_dim_ordering",
    "int_shape",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "ndim",
    "reset_uids",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_value",
    "standardize_dtype",
]
