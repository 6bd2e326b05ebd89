"""A compiler for Keras models, with Keras's names."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kerac import (
    activations,
    backend,
    constraints,
    initializers,
    layers,
    models,
    random,
    regularizers,
    saving,
    utils,
)
from kerac.compile import compile, compile_library, compile_trainer, export_onnx
from kerac.layers import Input, Layer
from kerac.models import Model, Sequential
from kerac.runtime import Executable, load
from kerac.variable import Variable

if TYPE_CHECKING:
    from kerac import (
        callbacks,
        config,
        datasets,
        losses,
        metrics,
        mixed_precision,
        ops,
        optimizers,
        preprocessing,
    )

__version__ = "0.1.0"

# What training needs is imported when it is first named: importing kerac stays quick.
_WHEN_NAMED = (
    *("callbacks", "config", "datasets", "losses", "metrics", "mixed_precision", "ops"),
    *("optimizers", "preprocessing"),
)


def __getattr__(name: str) -> Any:
    """The package of that name, imported now."""
    if name in _WHEN_NAMED:
        return import_module(f"kerac.{name}")
    raise AttributeError(f"module 'kerac' has no attribute {name!r}")


__all__ = [
    "Executable",
    "Input",
    "Layer",
    "Model",
    "Sequential",
    "Variable",
    "activations",
    "backend",
    "callbacks",
    "compile",
    "compile_library",
    "compile_trainer",
    "config",
    "constraints",
    "datasets",
    "export_onnx",
    "initializers",
    "layers",
    "load",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "saving",
    "utils",
]
