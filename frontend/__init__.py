"""A compiler for Keras models, with Keras's names."""

from kerac import (
    activations,
    backend,
    callbacks,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    preprocessing,
    regularizers,
    utils,
)
from kerac.compile import compile, compile_library, export_onnx
from kerac.layers import Input, Layer
from kerac.models import Model, Sequential
from kerac.runtime import Executable, load
from kerac.variable import Variable

__version__ = "0.1.0"

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
    "constraints",
    "datasets",
    "export_onnx",
    "initializers",
    "layers",
    "load",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "preprocessing",
    "regularizers",
    "utils",
]
