"""Ops that move elements without computing: the result holds those of the operands, and padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.dims import Dim, DimLike, known_dim
from kerac.ir.errors import ShapeError
from kerac.ir.graph import Value
from kerac.ir.op import Array, Op
from kerac.ir.ops.elementwise import broadcast_shapes
from kerac.ir.types import Shape, TensorType, known_shape

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Movement(Op, abstract=True):
    """Base of the ops that only move elements."""


@dataclass(frozen=True)
class Reshape(Movement):
    """The same elements in the same (row-major) order with another shape.

    x: t[...] -> t[*shape]
    """

    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        result = x.with_shape(self.shape)
        if result.size != x.size:
            raise ShapeError(f"x has {x.size} elements, but shape {result} has {result.size}")
        return result

    def evaluate(self, x: Array) -> Array:
        return x.reshape(known_shape(self.shape))


@dataclass(frozen=True)
class Transpose(Movement):
    """Axes in another order: axis i of the result is axis permutation[i] of x."""

    permutation: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if sorted(self.permutation) != list(range(x.ndim)):
            raise ShapeError(
                f"permutation {self.permutation} does not name each of {x.ndim} axes once"
            )
        return x.with_shape(tuple(x.shape[axis] for axis in self.permutation))

    def evaluate(self, x: Array) -> Array:
        return x.transpose(self.permutation)


@dataclass(frozen=True)
class BroadcastTo(Movement):
    """x stretched to `shape` along axes of length 1 and new leading axes."""

    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        if broadcast_shapes(x.shape, self.shape) != self.shape:
            raise ShapeError(f"x is {x}, but does not broadcast to {self.shape}")
        return x.with_shape(self.shape)

    def evaluate(self, x: Array) -> Array:
        return np.broadcast_to(x, known_shape(self.shape))


@dataclass(frozen=True)
class Slice(Movement):
    """The part from `start` up to, but without, `stop` along every axis, in steps of `step`.

    x: t[d0, d1, ...] -> t[(stop0 - start0 + step0 - 1)//step0, ...]; no `step` means 1 everywhere
    """

    start: Shape
    stop: Shape
    step: tuple[int, ...] = ()

    @property
    def steps(self) -> tuple[int, ...]:
        """One step an axis."""
        return self.step or (1,) * len(self.start)

    def infer(self, x: TensorType) -> TensorType:
        if not len(self.start) == len(self.stop) == len(self.steps) == x.ndim:
            raise ShapeError(f"start, stop and step need one entry for each of {x.ndim} axes")
        for axis, (start, stop, step) in enumerate(
            zip(self.start, self.stop, self.steps, strict=True)
        ):
            length = x.shape[axis]
            if step < 1 or negative(start) or negative(stop - start) or negative(length - stop):
                raise ShapeError(
                    f"{start}:{stop}:{step} is not a part of axis {axis} of length {length}"
                )
        return x.with_shape(
            tuple(
                (b - a + s - 1) // s
                for a, b, s in zip(self.start, self.stop, self.steps, strict=True)
            )
        )

    def evaluate(self, x: Array) -> Array:
        return x[tuple(map(slice, self.start, self.stop, self.steps))]


@dataclass(frozen=True)
class Pad(Movement):
    """`padding[axis]` = (before, after) more elements of `value`.

    x: t[d0, ...] -> t[before0 + d0 + after0, ...]
    """

    padding: Pairs
    value: float = 0.0

    def infer(self, x: TensorType) -> TensorType:
        if len(self.padding) != x.ndim:
            raise ShapeError(f"padding names {len(self.padding)} axes, but x has {x.ndim}")
        if any(amount < 0 for pair in self.padding for amount in pair):
            raise ShapeError(f"padding {self.padding} is negative")
        return x.with_shape(
            tuple(d + a + b for d, (a, b) in zip(x.shape, self.padding, strict=True))
        )

    def evaluate(self, x: Array) -> Array:
        return np.pad(x, self.padding, constant_values=x.dtype.type(self.value))


@dataclass(frozen=True)
class Concatenate(Movement):
    """Operands one after the other along `axis`."""

    axis: int

    def infer(self, *operands: TensorType) -> TensorType:
        if not operands:
            raise ShapeError("there is nothing to concatenate")
        first = operands[0]
        axis = check_axis(self.axis, first.ndim)
        total: DimLike = 0
        for other in operands:
            rest = (*other.shape[:axis], *other.shape[axis + 1 :])
            if other.dtype != first.dtype or rest != (
                *first.shape[:axis],
                *first.shape[axis + 1 :],
            ):
                raise ShapeError(f"{other} and {first} differ in more than axis {axis}")
            total = total + other.shape[axis]
        return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))

    def evaluate(self, *operands: Array) -> Array:
        return np.concatenate(operands, self.axis)


@dataclass(frozen=True)
class Reverse(Movement):
    """Elements in opposite order along `axes`."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        for axis in self.axes:
            check_axis(axis, x.ndim)
        return x

    def evaluate(self, x: Array) -> Array:
        return np.flip(x, self.axes)


@dataclass(frozen=True)
class Repeat(Movement):
    """Every element `count` times in a row along `axis`, as nearest-neighbour upsampling needs."""

    axis: int
    count: int

    def infer(self, x: TensorType) -> TensorType:
        axis = check_axis(self.axis, x.ndim)
        if self.count < 1:
            raise ShapeError(f"count must be positive, but is {self.count}")
        return x.with_shape((*x.shape[:axis], x.shape[axis] * self.count, *x.shape[axis + 1 :]))

    def evaluate(self, x: Array) -> Array:
        return np.repeat(x, self.count, self.axis)


@dataclass(frozen=True)
class Gather(Movement):
    """Rows of `table` by number; numbers outside are clamped to the nearest row.

    table: t[V, ...], indices: integer[*I] -> t[*I, ...]
    """

    def infer(self, table: TensorType, indices: TensorType) -> TensorType:
        if indices.is_float or indices.dtype == "bool":
            raise ShapeError(f"indices must be integers, but are {indices.dtype}")
        if table.ndim == 0:
            raise ShapeError("table must have at least one axis")
        return table.with_shape((*indices.shape, *table.shape[1:]))

    def evaluate(self, table: Array, indices: Array) -> Array:
        return np.asarray(table[np.clip(indices, 0, len(table) - 1)])


@dataclass(frozen=True)
class ScatterAdd(Op):
    """A table of `rows` rows, each the sum of those updates that have its number.

    indices: integer[M], updates: t[M, W] -> t[rows, W]
    Numbers outside are clamped to the nearest row, as `gather` does; updates are added in order.
    """

    rows: DimLike

    def infer(self, indices: TensorType, updates: TensorType) -> TensorType:
        if indices.is_float or indices.dtype == "bool" or indices.ndim != 1:
            raise ShapeError(f"indices must be integers[M], but are {indices}")
        if updates.ndim != 2 or not updates.is_float:
            raise ShapeError(f"updates must be floating-point t[M, W], but are {updates}")
        if updates.shape[0] != indices.shape[0]:
            raise ShapeError(f"there are {indices.shape[0]} indices, but updates are {updates}")
        return updates.with_shape((self.rows, updates.shape[1]))

    def evaluate(self, indices: Array, updates: Array) -> Array:
        rows = known_dim(self.rows)
        table = np.zeros((rows, updates.shape[1]), updates.dtype)
        if rows:
            np.add.at(table, np.clip(indices, 0, rows - 1), updates)
        return table


def negative(dim: DimLike) -> bool:
    """Whether `dim` is known to be negative."""
    return not isinstance(dim, Dim) and dim < 0


def check_axis(axis: int, ndim: int) -> int:
    """`axis`, which must be one of 0 ... ndim - 1."""
    if not 0 <= axis < ndim:
        raise ShapeError(f"axis {axis} does not exist; there are {ndim} axes, counted from 0")
    return axis


def reshape(x: Value, shape: Shape) -> Value:
    """x with another shape; x itself where it has that shape."""
    return x if x.shape == tuple(shape) else Reshape(tuple(shape))(x)


def transpose(x: Value, permutation: tuple[int, ...]) -> Value:
    """x with axes in another order; x itself where they stay."""
    return x if permutation == tuple(range(x.ndim)) else Transpose(tuple(permutation))(x)


def broadcast_to(x: Value, shape: Shape) -> Value:
    """x stretched to `shape`; x itself where it has that shape."""
    return x if x.shape == tuple(shape) else BroadcastTo(tuple(shape))(x)


def concatenate(operands: list[Value], axis: int) -> Value:
    """`operands` one after the other along `axis`, which may be negative."""
    return Concatenate(axis % operands[0].ndim)(*operands)


def slice_axis(x: Value, axis: int, start: DimLike, stop: DimLike) -> Value:
    """The part start:stop of one axis."""
    before, after = (0,) * axis, x.shape[axis + 1 :]
    return Slice((*before, start, *(0 for _ in after)), (*x.shape[:axis], stop, *after))(x)


def reverse(x: Value, axes: tuple[int, ...]) -> Value:
    """Elements in opposite order along `axes`."""
    return Reverse(tuple(axes))(x)


def repeat(x: Value, count: int, axis: int) -> Value:
    """Every element `count` times in a row; x itself where that is once."""
    return x if count == 1 else Repeat(axis, count)(x)


def gather(table: Value, indices: Value) -> Value:
    """Rows of `table` by number."""
    return Gather()(table, indices)


def scatter_add(indices: Value, updates: Value, rows: DimLike) -> Value:
    """A table of `rows` rows, the sums of the updates that have their numbers."""
    return ScatterAdd(rows)(indices, updates)
