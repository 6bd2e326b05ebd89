"""Inputs made up for a graph, such that all of it is exercised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from kerac.compile import substitute_dims
from kerac.ir import Graph, ShapeError, Value
from kerac.ir.dims import substitute
from kerac.ir.ops.elementwise import Cast
from kerac.ir.ops.movement import Gather, Movement

LENGTHS = (8, 16, 32, 64, 128, 256)  # of symbolic axes that are not given: the first that fits
LARGEST_INTEGER = 10

Array = np.ndarray[Any, Any]


def sample_inputs(graph: Graph, seed: int, dims: Mapping[str, int]) -> dict[str, Array]:
    """An array for each input: normal numbers, or rows of the table that the input selects from."""
    generator = np.random.default_rng(seed)
    lengths = sample_lengths(graph, dims)
    found = {}
    for name, value in zip(graph.input_names, graph.inputs, strict=True):
        # after all symbols are given, only numbers are left
        shape = cast(tuple[int, ...], tuple(substitute(dim, lengths) for dim in value.shape))
        rows, dtype = _rows(graph, value), value.tensor_type.numpy_dtype
        if rows is None and value.tensor_type.is_float:
            found[name] = generator.standard_normal(shape).astype(dtype)
        else:
            limit = 2 if value.dtype == "bool" else rows or LARGEST_INTEGER
            found[name] = generator.integers(0, limit, shape).astype(dtype)
    return found


def sample_lengths(graph: Graph, dims: Mapping[str, int]) -> dict[str, int]:
    """A length for each symbol such that windows fit into their axes."""
    for length in LENGTHS:
        lengths = {name: dims.get(name, length) for name in graph.symbols}
        try:
            substitute_dims(graph, lengths)
        except ShapeError:
            if length == LENGTHS[-1]:
                raise
            continue
        break
    return lengths


def _rows(graph: Graph, start: Value) -> int | None:
    """The number of rows of the smallest table that `start` is an index of."""
    reached, found = [start], []
    while reached:
        value = reached.pop()
        for user in graph.consumers[value]:
            if isinstance(user.op, Gather) and user.inputs[1] is value:
                table = user.inputs[0]
                rows = None if table is None else table.shape[0]
                found += [rows] if isinstance(rows, int) else []
            elif isinstance(user.op, Cast | Movement):
                reached.append(user)
    return min(found, default=None)
