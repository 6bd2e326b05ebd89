"""How much arithmetic a graph asks for."""

from __future__ import annotations

from kerac.ir.dims import DimLike
from kerac.ir.graph import Graph


def multiply_adds(graph: Graph) -> DimLike:
    """Multiply-adds of all products in `graph`, done directly."""
    return sum((value.op.multiply_adds(value) for value in graph.values), start=0)
