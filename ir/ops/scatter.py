"""Rows of a table changed by number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.ir.errors import ShapeError
from kerac.ir.op import Array, Op
from kerac.ir.types import TensorType

REDUCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "set": lambda old, new: new,
    "add": np.add,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


@dataclass(frozen=True)
class Scatter(Op):
    """The table, each row combined with the updates that have its number, one after the other.

    table: t[V, W], indices: integer[M], updates: t[M, W] -> t[V, W]
    `reduction` is set, add, multiply, maximum or minimum. Numbers outside the table change nothing.
    """

    reduction: str = "set"

    def infer(self, table: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        if self.reduction not in REDUCTIONS:
            raise ShapeError(
                f"reduction is {self.reduction!r}, but must be one of {', '.join(REDUCTIONS)}"
            )
        if indices.is_float or indices.dtype == "bool" or indices.ndim != 1 or table.ndim != 2:
            raise ShapeError(f"needs table[V, W] and integers[M], but got {table} and {indices}")
        wanted = table.with_shape((indices.shape[0], table.shape[1]))
        if updates != wanted:
            raise ShapeError(f"updates must be {wanted}, but are {updates}")
        return table

    def evaluate(self, table: Array, indices: Array, updates: Array) -> Array:
        result = table.copy()
        combine = REDUCTIONS[self.reduction]
        for number, update in zip(indices.astype(np.int64), updates, strict=True):
            if 0 <= number < len(table):
                result[number] = combine(result[number], update)
        return result
