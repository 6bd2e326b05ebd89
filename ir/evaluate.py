"""The reference interpreter: every op's `evaluate`, one value after the other, on NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import InternalError, ShapeError
from kerac.ir.graph import Graph, Value
from kerac.ir.ops.constant import bind_symbols
from kerac.ir.types import TensorType, Type, type_of, type_text


def evaluate_graph(graph: Graph, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The outputs of `graph` for input `arrays`, whose shapes and dtypes are checked."""
    results = evaluate_values(graph, arrays)
    return tuple(results[value] for value in graph.outputs)


def evaluate_values(graph: Graph, arrays: Sequence[np.ndarray]) -> dict[Value, Any]:
    """The array of every value of `graph` (a tuple of arrays where an op has several results)."""
    bound = bind_inputs(graph, [type_of(array) for array in arrays])
    results: dict[Value, Any] = dict(zip(graph.inputs, arrays, strict=True))
    with np.errstate(all="ignore"):
        for value in graph.values:
            if value not in results:
                operands = [
                    None if operand is None else results[operand] for operand in value.inputs
                ]
                results[value] = value.op.substitute(bound).computed(*operands)
                _check(value, results[value], bound)
    return results


def bind_inputs(graph: Graph, types: Sequence[TensorType]) -> dict[str, DimLike]:
    """What the symbols of `graph` stand for when it is given inputs of `types`."""
    if len(types) != len(graph.inputs):
        raise ShapeError(f"{graph.name} takes {len(graph.inputs)} inputs, but got {len(types)}")
    bound: dict[str, DimLike] = {}
    for value, given in zip(graph.inputs, types, strict=True):
        try:
            bind_symbols(value.tensor_type, given, bound)
        except ShapeError:
            raise ShapeError(f"input {value.name} is {value.type}, but {given} was given") from None
    return bound


def _check(value: Value, result: Any, bound: dict[str, DimLike]) -> None:
    """The numeric rule and the type rule of an op check each other."""
    expected = _substitute(value.type, bound)
    got: Type = tuple(map(type_of, result)) if isinstance(result, tuple) else type_of(result)
    if got != expected:
        raise InternalError(
            f"{value.op.text_name} ({value.name}) infers {type_text(expected)}, "
            f"but evaluates to {type_text(got)}"
        )


def _substitute(type_: Type, bound: dict[str, DimLike]) -> Type:
    if isinstance(type_, tuple):
        return tuple(item.substitute(bound) for item in type_)
    return type_.substitute(bound)
