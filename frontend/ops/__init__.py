"""Keras's ops as functions: for layers and losses, on symbolic tensors, values and arrays.

Each is written once (`registry.py`); `ops.mean(x, axis=-1)` is the operation `Mean` of files.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from kerac.configured import suggestion
from kerac.ops.registry import FUNCTIONS, MODULES

# the files that register functions when they are imported
FAMILIES = (
    "numbers", "activations", "pairs", "shapes", "reductions", "creation", "arrangement",
    "padding", "products", "ordering", "cumulative", "statistics", "indexing", "patterns",
    "kinds", "objectives", "networks", "linear_algebra", "images", "warping", "fourier",
    "control",
)  # fmt: skip
SUBMODULES = ("image", "linalg", "nn", "numpy")

for _family in FAMILIES:
    import_module(f"kerac.ops.{_family}")


def __getattr__(name: str) -> Any:
    """The function of that name, or the module."""
    if name in SUBMODULES:
        return import_module(f"kerac.ops.{name}")
    if name not in FUNCTIONS or name.startswith("__"):
        raise AttributeError(f"kerac.ops has no {name!r}. {suggestion(name, FUNCTIONS)}")
    if MODULES[name] == "image":
        raise AttributeError(f"kerac.ops has no {name!r}, but kerac.ops.image has")
    return FUNCTIONS[name]


def __dir__() -> list[str]:
    names = [name for name in FUNCTIONS if MODULES[name] != "image"]
    return sorted([*names, *SUBMODULES])
