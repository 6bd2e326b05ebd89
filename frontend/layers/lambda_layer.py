"""The layer that kerac does not have, and why."""

from __future__ import annotations

from typing import Any

from kerac.ir.errors import UnsupportedError


class Lambda:
    """Keras's wrapper of a Python function, which no compiler can look into."""

    def __init__(
        self, function: Any = None, *args: Any, name: str | None = None, **kwargs: Any
    ) -> None:
        called = f"Lambda {name!r}" if name else "Lambda"
        raise UnsupportedError(
            f"{called}: is Python code, but kerac compiles what layers state",
            remedy="Write the function as a layer: class Mine(kerac.layers.Layer) with call().",
        )
