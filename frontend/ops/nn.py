"""The functions of `kerac.ops` that Keras has in `keras.ops.nn`."""

from __future__ import annotations

from typing import Any

from kerac.ops.names import function_in, names_in


def __getattr__(name: str) -> Any:
    """The function of that name."""
    return function_in("nn", name)


def __dir__() -> list[str]:
    return names_in("nn")
