"""Which functions the modules of `kerac.ops` have."""

from __future__ import annotations

from typing import Any

from kerac.configured import suggestion
from kerac.ops.registry import FUNCTIONS, MODULES

# what Keras has in a module beside the functions that are defined there
ALSO = {"nn": ("polar",), "linalg": (), "numpy": ("linspace",), "image": ()}


def names_in(module: str) -> list[str]:
    """The names of a module's functions."""
    return sorted({name for name, own in MODULES.items() if own == module} | {*ALSO[module]})


def function_in(module: str, name: str) -> Any:
    """A function by its name."""
    names = names_in(module)
    if name not in names:
        raise AttributeError(f"kerac.ops.{module} has no {name!r}. {suggestion(name, names)}")
    return FUNCTIONS[name]
