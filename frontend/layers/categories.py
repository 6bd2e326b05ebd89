"""Numbers of categories: encoded, taken from ranges of numbers, looked up in a vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from kerac.layers.base import Layer, as_float

Array = np.ndarray[Any, np.dtype[Any]]
Encoding = Literal["int", "one_hot", "multi_hot", "count"]


def encoded(numbers: Value, mode: str, depth: int, weights: Value | None = None) -> Value:
    """f32, `depth` long along a new last axis, of integers [..., T].

    "one_hot" has a 1 for each number, "multi_hot" for each that occurs along axis 1 (0 if it is
    the only one), "count" says how often, or sums `weights`. Numbers outside are left out.
    """
    if mode == "one_hot" and numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = ops.reshape(numbers, numbers.shape[:-1])
    wide = ops.reshape(numbers, (*numbers.shape, 1))
    places = ops.iota((depth,), 0, numbers.dtype)
    marks = ops.cast(ops.Equal()(wide, places), "f32")
    if mode == "one_hot":
        return marks
    axis = 1 if numbers.ndim > 1 else 0
    if mode == "multi_hot":
        return ops.reduce_max(marks, (axis,))
    if weights is not None:
        weight = as_float(weights)
        marks = ops.multiply(marks, ops.reshape(weight, (*weight.shape, 1)))
    return ops.reduce_sum(marks, (axis,))


def refuse_sparse(layer: Any) -> None:
    """Results are dense."""
    if layer.sparse:
        raise UnsupportedError(
            f"{type(layer).__name__} {layer.name!r}: sparse=True is given, but results are dense"
        )


def batches_of(data: Any, steps: int | None) -> Iterator[Any]:
    """What `adapt` is given, batch by batch: an array, or batches of x, or of x and more."""
    if isinstance(data, np.ndarray | list | tuple) or hasattr(data, "__array__"):
        yield data
        return
    for number, batch in enumerate(data):
        if steps is not None and number >= steps:
            return
        yield batch[0] if isinstance(batch, tuple) else batch


class CategoryEncoding(Layer):
    """Numbers of categories as vectors of ones and zeros, or of how often each occurs."""

    num_tokens: int
    output_mode: Literal["one_hot", "multi_hot", "count"] = "multi_hot"
    sparse: bool = False

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("output_mode") == "binary":
            arguments["output_mode"] = "multi_hot"
        return arguments

    def __post_init__(self) -> None:
        refuse_sparse(self)
        if self.num_tokens < 1:
            raise CompileError(
                f"CategoryEncoding {self.name!r}: num_tokens is {self.num_tokens}, "
                "but must be positive"
            )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("sparse")
        return config

    def call(self, inputs: Value, count_weights: Value | None = None) -> Any:
        if count_weights is not None and self.output_mode != "count":
            raise CompileError(
                f"count_weights are given, but output_mode is {self.output_mode!r}"
            )
        numbers = ops.cast(inputs, "i32")
        return encoded(numbers, self.output_mode, self.num_tokens, count_weights)


class Discretization(Layer):
    """The number of the range that each input lies in; `adapt` finds ranges equally often used."""

    bin_boundaries: Any = None
    num_bins: int | None = None
    epsilon: float = 0.01
    output_mode: Encoding = "int"
    sparse: bool = False

    def __post_init__(self) -> None:
        refuse_sparse(self)
        self.adapted = 0
        self._summary = np.zeros((2, 0), np.float32)
        if self.bin_boundaries is None and self.num_bins is None:
            raise CompileError(
                f"Discretization {self.name!r}: needs bin_boundaries, or num_bins and adapt"
            )
        if self.bin_boundaries is not None:
            self.bin_boundaries = [float(bound) for bound in self.bin_boundaries]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"dtype": self.dtype}
        del config["trainable"]  # Keras has no such argument here
        return config

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Choose the boundaries so that about as many inputs lie in each range."""
        if self.num_bins is None:
            raise CompileError(
                f"Discretization {self.name!r}: bin_boundaries were given already",
                remedy="Make the layer with num_bins= to adapt it.",
            )
        self.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget the data."""
        self._summary = np.zeros((2, 0), np.float32)

    def update_state(self, data: Any) -> None:
        """Take a batch into account."""
        merged = np.concatenate((summarize(np.asarray(data), self.epsilon), self._summary), 1)
        self._summary = compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Take the boundaries from the data."""
        if self._summary.size == 0 or self.num_bins is None:
            raise CompileError(f"Discretization {self.name!r}: adapts to data, but there is none")
        bounds = compressed(self._summary, 1.0 / self.num_bins)[0, :-1]
        self.bin_boundaries = [float(bound) for bound in bounds]
        self.adapted += 1

    def call(self, inputs: Value) -> Any:
        if self.bin_boundaries is None:
            raise CompileError(
                f"{self.name}: has no bin_boundaries yet",
                remedy="Give them to the layer, or call its adapt(data) first.",
            )
        x = as_float(inputs)
        bounds = np.array(self.bin_boundaries, np.float32)
        wide = ops.reshape(x, (*x.shape, 1))
        if len(bounds):
            beyond = ops.cast(ops.GreaterEqual()(wide, ops.constant(bounds)), "i32")
            numbers = ops.reduce_sum(beyond, (x.ndim,))
        else:
            numbers = ops.cast(ops.multiply(x, 0.0), "i32")
        if self.output_mode == "int":
            return numbers
        return encoded(numbers, self.output_mode, len(bounds) + 1)


def summarize(values: Array, epsilon: float) -> Array:
    """Every so-manieth of the sorted values, and how many it stands for, f32[2, ...]."""
    ordered = np.sort(values.astype(np.float32).reshape(-1))
    step = max(ordered.size * epsilon, 1)
    chosen = ordered[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def compressed(summary: Array, epsilon: float) -> Array:
    """A summary of at most about 1 / epsilon values."""
    if summary.shape[1] * epsilon < 1:
        return summary
    percents = epsilon + np.arange(0.0, 1.0, epsilon)
    weights = summary[1].cumsum()
    values = np.interp(percents, weights / weights[-1], summary[0])
    sums = np.interp(percents, weights / weights[-1], weights)
    return np.stack((values, np.diff(sums, prepend=0))).astype(np.float32)


def found_in(table: Array, x: Value) -> tuple[Value, Value]:
    """Where each integer stands in a sorted table, and whether it does: a binary search."""
    if x.dtype in ("f16", "bf16", "f32", "f64", "bool"):
        raise ShapeError(f"the input must be integers, but is {x.type}")
    size = 1 << max(len(table).bit_length(), 1)
    last = np.iinfo(np.int64).max
    keys = ops.constant(np.concatenate([table, np.full(size - len(table), last)]).astype("int64"))
    wanted = ops.cast(x, "i64")
    place = ops.constant(0, "i32")
    step = size // 2
    while step:
        candidate = ops.add(place, ops.constant(step, "i32"))
        below = ops.gather(keys, ops.subtract(candidate, ops.constant(1, "i32")))
        place = ops.select(ops.Less()(below, wanted), candidate, place)
        step //= 2
    inside = ops.binary(ops.Less(), place, len(table))
    is_there = ops.LogicalAnd()(inside, ops.Equal()(ops.gather(keys, place), wanted))
    return place, is_there
