"""Whether a pass kept the meaning: the reference interpreter runs both graphs on random numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from kerac.ir import Graph, InternalError, Value, evaluate_values, verify
from kerac.ir.dims import DimLike, known_dim
from kerac.ir.types import TensorType
from kerac.ir.verify import excerpt

TOLERANCE = 2e-5  # of the largest magnitude; passes change the order of sums
LENGTHS = (3, 7, 16, 33, 64, 128, 224, 512)  # tried for symbols, until all windows fit


def random_inputs(graph: Graph, seed: int = 0, batch: int = 2) -> list[np.ndarray]:
    """Arrays for the inputs of `graph`.

    The first symbol is `batch`, others are as small as the graph allows.
    """
    first, *others = graph.symbols or ("",)
    for length in LENGTHS:
        sizes: dict[str, DimLike] = {first: batch, **dict.fromkeys(others, length)}
        if length == LENGTHS[-1] or _fits(graph, sizes):
            break
    generator = np.random.default_rng(seed)
    return [_random(value.tensor_type.substitute(sizes), generator) for value in graph.inputs]


def _fits(graph: Graph, sizes: Mapping[str, DimLike]) -> bool:
    """Whether all types make sense when symbols have these sizes."""
    types: dict[Value, Any] = {value: value.tensor_type.substitute(sizes) for value in graph.inputs}
    try:
        for value in graph.values:
            if value not in types:
                operands = [None if operand is None else types[operand] for operand in value.inputs]
                types[value] = value.op.substitute(sizes).infer(*operands)
    except ValueError:
        return False
    return True


def _random(type_: TensorType, generator: np.random.Generator) -> np.ndarray:
    shape = tuple(map(known_dim, type_.shape))
    if type_.dtype == "bool":
        return generator.random(shape) < 0.5
    if type_.is_float:
        return generator.normal(size=shape).astype(type_.numpy_dtype)
    return generator.integers(0, 8, shape).astype(type_.numpy_dtype)


class NumericCheck:
    """Compares the graph after each pass with the one before it, on the same numbers."""

    def __init__(self, graph: Graph, seed: int = 0, tolerance: float = TOLERANCE) -> None:
        """Choose the numbers and compute `graph`."""
        self.inputs = random_inputs(graph, seed)
        self.tolerance = tolerance
        self.before = graph
        self.results = evaluate_values(graph, self.inputs)

    def check(self, after: Graph, name: str) -> None:
        """Raise InternalError where pass `name` made an ill-formed or different graph."""
        if after is self.before:
            return
        verify(after, name)
        if after.output_names != self.before.output_names:
            raise InternalError(
                f"{name} renames outputs {self.before.output_names} {after.output_names}"
            )
        results = evaluate_values(after, self.inputs)
        for one, other, output in zip(
            self.before.outputs, after.outputs, after.output_names, strict=True
        ):
            if not self.agree(self.results[one], results[other]):
                culprit = self._first_that_differs(after, results) or other
                error = largest_error(self.results[one], results[other])
                raise InternalError(
                    f"pass {name} changes output {output} of {after.name} by {error:.3g} "
                    f"of its largest value; "
                    f"the first value that differs is {culprit.name} ({culprit.origin})\n"
                    f"{excerpt(after, culprit)}"
                )
        self.before, self.results = after, results

    def agree(self, expected: np.ndarray, actual: np.ndarray) -> bool:
        """Whether two results are the same but for rounding."""
        return expected.shape == actual.shape and largest_error(expected, actual) <= self.tolerance

    def _first_that_differs(self, after: Graph, results: Mapping[Value, Any]) -> Value | None:
        """The first value that had the same name and another result before."""
        counts = Counter(value.name for value in (*self.before.values, *after.values))
        known = {value.name: value for value in self.before.values if counts[value.name] <= 2}
        for value in after.values:
            before = known.get(value.name)
            if before is None or before.type != value.type or isinstance(value.type, tuple):
                continue
            if not self.agree(self.results[before], results[value]):
                return value
        return None


def largest_error(expected: np.ndarray, actual: np.ndarray) -> float:
    """Largest difference as a share of the largest magnitude; infinite where NaNs do not match."""
    if expected.dtype.kind not in "fV":
        return 0.0 if np.array_equal(expected, actual) else np.inf
    wide, other = expected.astype(np.float64), actual.astype(np.float64)
    finite = np.isfinite(wide)
    if not np.array_equal(wide[~finite], other[~finite], equal_nan=True):
        return np.inf
    if not finite.any():
        return 0.0
    with np.errstate(invalid="ignore"):
        worst = np.nan_to_num(np.abs(wide[finite] - other[finite]), nan=np.inf).max()
    return float(worst / max(np.abs(wide[finite]).max(), np.finfo(np.float32).tiny))
