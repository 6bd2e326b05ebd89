"""The dtype that layers compute in: float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerac.ir.errors import UnsupportedError


def dtype_of(dtype: Any, class_name: str, name: str) -> str:
    """The one dtype policy there is, however it is written; others are refused."""
    dtype = name_of(dtype)
    if dtype in (None, "float32"):
        return "float32"
    raise UnsupportedError(
        f"{class_name} {name!r}: has dtype {dtype!r}, but kerac computes in float32",
        remedy="Make the layer with dtype=\"float32\".",
    )


def name_of(dtype: Any) -> Any:
    """The name of a dtype policy, which may be written as its name, its config or an object."""
    if isinstance(dtype, Mapping):
        dtype = (dtype.get("config") or {}).get("name", dtype.get("class_name"))
    return getattr(dtype, "name", dtype)


def policy(dtype: str) -> Any:
    """A dtype policy as Keras writes it."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": dtype},
        "registered_name": None,
    }
