"""Where the random numbers of one use come from: a key, and a stream for each draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from kerac.eager import as_array, evaluate, is_array
from kerac.ir import Value, ops
from kerac.ir.dims import Dim, DimLike
from kerac.ir.types import dtype_name
from kerac.layers.random_numbers import key_of_step, next_stream
from kerac.random.seeds import Seed, SeedGenerator, key_of
from kerac.tracing import current_trace, is_tracing

Shape = tuple[DimLike, ...]


@dataclass
class Source:
    """Draws of one use, each from a stream of its own."""

    key: Value
    next_stream: Callable[[], int] = field(default_factory=lambda: count().__next__)

    def uniform(self, shape: Shape) -> Value:
        """f32 in [0, 1), of 23 bits."""
        return ops.random_uniform(self.key, shape, self.next_stream())

    def positive(self, shape: Shape) -> Value:
        """f32 in (0, 1)."""
        return self.uniform(shape) + 2.0**-24

    def normal(self, shape: Shape) -> Value:
        """f32 of mean 0 and variance 1."""
        return ops.random_normal(self.key, shape, self.next_stream())

    def fine(self, shape: Shape) -> Value:
        """f64 in [0, 1), of 46 bits."""
        high, low = (ops.cast(self.uniform(shape), "f64") for _ in range(2))
        return high + low * 2.0**-23


def draw(
    function: Callable[..., Value], tensors: Sequence[Any], shape: Sequence[Any], seed: Seed
) -> Any:
    """`function(source, *tensors)`: a value where a graph needs one, otherwise an array."""
    if in_graph(tensors, shape):
        values = [ops.constant(as_array(x)) if is_array(x) else x for x in tensors]
        return function(_source(seed), *values)
    return evaluate(lambda key, *values: function(Source(key), *values), [key_of(seed), *tensors])


def in_graph(tensors: Sequence[Any], shape: Sequence[Any] = ()) -> bool:
    """Whether a value is needed: in a step of training, or for lengths and tensors of a graph."""
    if any(isinstance(x, Value) for x in tensors) or any(isinstance(n, Dim) for n in shape):
        return True
    return is_tracing() and current_trace().key is not None


def _source(seed: Seed) -> Source:
    """Numbers for a graph in the making; those of a step of training depend on the step."""
    if current_trace().key is None or not (seed is None or isinstance(seed, SeedGenerator)):
        return Source(ops.constant(key_of(seed)))
    first = None if seed is None else int(seed.state[0])
    return Source(key_of_step(first), next_stream)


def lengths(shape: Sequence[Any]) -> Shape:
    """A shape of whole numbers and dims."""
    return tuple(n if isinstance(n, Dim) else int(n) for n in shape)


def typed(x: Value, dtype: Any) -> Value:
    """x as a dtype; None stands for float32."""
    return ops.cast(x, "f32" if dtype is None else dtype_name(str(dtype)))
