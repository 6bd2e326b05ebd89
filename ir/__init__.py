"""The graph IR: immutable typed values, the ops and what they mean, text, verifier, interpreter."""

from kerac.ir import ops
from kerac.ir.data import Data
from kerac.ir.dims import Dim, DimLike, symbol
from kerac.ir.errors import (
    CompileError,
    FormatError,
    InternalError,
    NumericsError,
    ShapeError,
    UnsupportedError,
)
from kerac.ir.evaluate import evaluate_graph, evaluate_values
from kerac.ir.graph import Graph, Origin, Value, origin_scope
from kerac.ir.op import REGISTRY, Op
from kerac.ir.text import parse, parse_functions
from kerac.ir.types import TensorType, Type, dtype_name, numpy_dtype, type_of, type_text
from kerac.ir.verify import verify

__all__ = [
    "REGISTRY",
    "CompileError",
    "Data",
    "Dim",
    "DimLike",
    "FormatError",
    "Graph",
    "InternalError",
    "NumericsError",
    "Op",
    "Origin",
    "ShapeError",
    "TensorType",
    "Type",
    "UnsupportedError",
    "Value",
    "dtype_name",
    "evaluate_graph",
    "evaluate_values",
    "numpy_dtype",
    "ops",
    "origin_scope",
    "parse",
    "parse_functions",
    "symbol",
    "type_of",
    "type_text",
    "verify",
]
