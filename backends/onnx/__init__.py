"""Graphs as ONNX models, in files that any ONNX runtime reads."""

from kerac.backends.onnx import (
    activation,
    attention,
    constant,
    contraction,
    convolution,
    elementwise,
    iota,
    movement,
    normalization,
    pooling,
    recurrent,
    reduction,
    sorting,
    training,
    trigonometry,
)
from kerac.backends.onnx.export import DEFAULT_OPSET, OLDEST_OPSET, export_graph, newest_opset
from kerac.backends.onnx.registry import UNSUPPORTED, exporter_of
from kerac.backends.onnx.write import write_model

__all__ = [
    "DEFAULT_OPSET",
    "OLDEST_OPSET",
    "UNSUPPORTED",
    "activation",
    "attention",
    "constant",
    "contraction",
    "convolution",
    "elementwise",
    "export_graph",
    "exporter_of",
    "iota",
    "movement",
    "newest_opset",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "sorting",
    "training",
    "trigonometry",
    "write_model",
]
