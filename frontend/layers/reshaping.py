"""Layers that move elements without computing."""

from __future__ import annotations

from typing import Any

from kerac.ir import Value, ops
from kerac.ir.dims import Dim, DimLike
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.base import Layer
from kerac.layers.data_format import GivenDataFormat, to_last


class Flatten(Layer):
    """All axes but the batch made one; channels are made the last axis first.

    inputs: t[N, ...] -> t[N, elements]
    """

    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        self.data_format = self.data_format or "channels_last"

    def call(self, inputs: Value) -> Any:
        if inputs.ndim < 1:
            raise ShapeError("the input must have a batch axis, but is a scalar")
        x = to_last(inputs, self.data_format) if inputs.ndim > 2 else inputs
        return ops.reshape(x, (x.shape[0], product(x.shape[1:])))


class Reshape(Layer):
    """The same elements in another shape; -1 stands for what is left over.

    inputs: t[N, ...] -> t[N, *target_shape]
    """

    target_shape: tuple[int | None, ...]

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if isinstance(arguments.get("target_shape"), int):
            arguments["target_shape"] = (arguments["target_shape"],)
        return arguments

    def __post_init__(self) -> None:
        target = self.target_shape
        if any(dim is not None and dim < -1 for dim in target):
            raise CompileError(f"Reshape {self.name!r}: a length of {target} is negative")
        if sum(dim in (-1, None) for dim in target) > 1:
            raise CompileError(
                f"Reshape {self.name!r}: target_shape {target} leaves two lengths open"
            )

    def call(self, inputs: Value) -> Any:
        return ops.reshape(inputs, (inputs.shape[0], *self.resolve(inputs, self.target_shape)))

    @staticmethod
    def resolve(inputs: Value, target: tuple[int | None, ...]) -> tuple[DimLike, ...]:
        """The shape of each sample, the open length filled in."""
        size = product(inputs.shape[1:])
        given = product(tuple(dim for dim in target if dim not in (-1, None)))
        dims = [
            _quotient(size, given, inputs) if dim is None or dim == -1 else dim for dim in target
        ]
        if product(tuple(dims)) != size:
            raise ShapeError(
                f"each sample of the input has {size} elements, "
                f"but target_shape {target} has {product(tuple(dims))}"
            )
        return tuple(dims)


class Permute(Layer):
    """Axes in another order, counted from 1 without the batch."""

    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise CompileError(
                f"Permute {self.name!r}: dims is {self.dims}, "
                "but must name each axis from 1 on once"
            )

    def call(self, inputs: Value) -> Any:
        if inputs.ndim != len(self.dims) + 1:
            raise ShapeError(f"dims names {len(self.dims)} axes, but the input is {inputs.type}")
        return ops.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """The same vector at `n` steps of time.

    inputs: t[N, C] -> t[N, n, C]
    """

    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise CompileError(f"RepeatVector {self.name!r}: n is {self.n}, but must be positive")

    def call(self, inputs: Value) -> Any:
        if inputs.ndim != 2:
            raise ShapeError(f"the input must have 2 axes, but is {inputs.type}")
        batch, features = inputs.shape
        step = ops.reshape(inputs, (batch, 1, features))
        return ops.broadcast_to(step, (batch, self.n, features))


class Identity(Layer):
    """x itself."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


def product(dims: tuple[Any, ...]) -> DimLike:
    """Number of elements of a shape."""
    total: DimLike = 1
    for dim in dims:
        total = dim * total
    return total


def _quotient(size: DimLike, given: DimLike, inputs: Value) -> DimLike:
    if isinstance(given, int) and given and (isinstance(size, Dim) or size % given == 0):
        return size // given
    raise ShapeError(
        f"each sample of {inputs.type} has {size} elements, but {given} do not divide it"
    )
