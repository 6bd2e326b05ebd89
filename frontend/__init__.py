"""A compiler for Keras models, with Keras's names."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kerac import (
    activations,
    backend,
    constraints,
    dtype_policies,
    initializers,
    layers,
    models,
    random,
    regularizers,
    saving,
    utils,
)
from kerac.compile import compile, compile_library, compile_trainer, export_onnx, load
from kerac.devices import device
from kerac.dtype_policies import DTypePolicy
from kerac.initializers import Initializer
from kerac.layers import Input, Layer
from kerac.layers.input_spec import InputSpec
from kerac.models import Model, Sequential
from kerac.names import name_scope
from kerac.regularizers import Regularizer
from kerac.runtime import Executable
from kerac.tensor import KerasTensor
from kerac.variable import Variable

if TYPE_CHECKING:
    from kerac import (
        applications,
        callbacks,
        config,
        datasets,
        losses,
        metrics,
        mixed_precision,
        ops,
        optimizers,
        preprocessing,
        tree,
    )
    from kerac.losses import Loss
    from kerac.metrics import Metric
    from kerac.optimizers import Optimizer

__version__ = "0.1.0"

# What training needs is imported when it is first named: importing kerac stays quick.
_WHEN_NAMED = (
    *("applications", "callbacks", "config", "datasets", "losses", "metrics", "mixed_precision"),
    *("ops", "optimizers", "preprocessing", "tree"),
)
_BASES = {"Loss": "losses", "Metric": "metrics", "Optimizer": "optimizers"}
# Names of Keras that would mean nothing here, and what scripts want instead.
_INSTEAD = {
    "Function": "Call kerac.Model(inputs, outputs).",
    "Operation": "Subclass kerac.Layer.",
    "Quantizer": "Weights are float32.",
    "quantizers": "Weights are float32.",
    "RematScope": "Leave it out: memory is planned by the compiler.",
    "remat": "Call the function itself: memory is planned by the compiler.",
    "StatelessScope": "Leave it out: a step of training is one graph, and weights are its inputs.",
    "SymbolicScope": "Leave it out: calls on what kerac.Input returns are symbolic.",
    "distribution": "Models run on the cores of one processor.",
    "export": "Call model.export(path), or kerac.compile_library(model, path).",
}


def version() -> str:
    """The version of kerac."""
    return __version__


def __getattr__(name: str) -> Any:
    """The package of that name, or a class from it, imported now."""
    if name in _WHEN_NAMED:
        return import_module(f"kerac.{name}")
    if name in _BASES:
        return getattr(import_module(f"kerac.{_BASES[name]}"), name)
    hint = f". {_INSTEAD[name]}" if name in _INSTEAD else ""
    raise AttributeError(f"module 'kerac' has no attribute {name!r}{hint}")


__all__ = [
    "DTypePolicy",
    "Executable",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "activations",
    "applications",
    "backend",
    "callbacks",
    "compile",
    "compile_library",
    "compile_trainer",
    "config",
    "constraints",
    "datasets",
    "device",
    "dtype_policies",
    "export_onnx",
    "initializers",
    "layers",
    "load",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "name_scope",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "saving",
    "tree",
    "utils",
    "version",
]
