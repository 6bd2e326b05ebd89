"""Functions of values, called on arrays: their graph is made and evaluated by the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from kerac.ir import Graph, Value, evaluate_graph, ops, type_of
from kerac.ir.ops import graph_input
from kerac.structure import leaves, map_structure, pack

NARROWER = {"float64": "float32", "int64": "int32", "uint64": "uint32"}
Array = np.ndarray[Any, np.dtype[Any]]


def as_array(x: Any) -> Array:
    """An array of what a user gave, with 64 bits narrowed to 32 as Keras does."""
    array = np.asarray(x)
    return array.astype(NARROWER.get(array.dtype.name, array.dtype))


def is_array(x: Any) -> bool:
    """Whether x stands for a tensor of numbers, and is no value of a graph."""
    return x is not None and not isinstance(x, Value | str)


def evaluate(function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    """What `function` of values gives for arrays; None stays None."""
    given = [as_array(x) if is_array(x) else None for x in arrays]
    inputs = [None if x is None else graph_input(f"x{i}", type_of(x)) for i, x in enumerate(given)]
    structure = function(*inputs)
    outputs = leaves(structure)
    known = [x for x in inputs if x is not None]
    graph = Graph("eager", tuple(known), tuple(x for x in outputs if x is not None))
    results = iter(evaluate_graph(graph, [x for x in given if x is not None]))
    return pack(structure, [None if x is None else next(results) for x in outputs])


def on_arrays_too(count: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function, whose first `count` arguments are values, take arrays for all of them.

    Beside a value, arrays and numbers become constants.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            tensors, others = list(args[:count]), args[count:]
            flat = leaves(tensors)
            if any(isinstance(x, Value) for x in flat):
                return function(*map_structure(_as_value, tensors), *others, **kwargs)
            single = [x for x in tensors if not isinstance(x, list | tuple)]
            if len(single) == len(tensors):
                return evaluate(lambda *values: function(*values, *others, **kwargs), tensors)
            return evaluate(
                lambda *values: function(*pack(tensors, list(values)), *others, **kwargs), flat
            )

        return called

    return decorate


def _as_value(x: Any) -> Any:
    return ops.constant(as_array(x)) if is_array(x) else x
