"""Operations of Keras on arrays that stand in files: products, parts, pieces side by side."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kerac.activations import axis_of
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.ir.ops.elementwise import broadcast_shapes
from kerac.ir.types import is_static
from kerac.layers.base import as_float
from kerac.layers.einsum import einsum
from kerac.layers.masks import as_bool
from kerac.layers.merging import broadcastable, joined
from kerac.layers.operation import Operand, Operation
from kerac.layers.tensor_operations import Axes, axes_of


def valued(*operands: Operand) -> list[Value]:
    """Operands as values of one dtype; arrays and numbers become constants."""
    values = [x if isinstance(x, Value) else ops.constant(np.asarray(x)) for x in operands]
    given = [x.dtype for x in values if x.dtype != "f64"]
    dtype = "f32" if len(set(given)) != 1 or len(given) != len(values) else given[0]
    return [ops.cast(x, dtype) for x in values]


class MatmulOperation(Operation):
    """Matrix product over the last two axes; others broadcast, vectors are rows or columns."""

    def call(self, x1: Operand, x2: Operand) -> Any:
        left, right = (as_float(x) for x in valued(x1, x2))
        if left.ndim == 1:
            return _without(product_of(ops.reshape(left, (1, *left.shape)), right), -2)
        if right.ndim == 1:
            return _without(product_of(left, ops.reshape(right, (*right.shape, 1))), -1)
        return product_of(left, right)


def product_of(left: Value, right: Value) -> Value:
    """left: f32[..., M, K], right: f32[..., K, F] -> f32[..., M, F]"""
    if right.ndim == 2 and is_static(right.shape):
        return ops.dense(left, right)
    batch = broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left, right = (ops.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (left, right))
    return ops.matmul(left, right)


def _without(x: Value, axis: int) -> Value:
    """x without an axis of length 1."""
    place = axis % x.ndim
    return ops.reshape(x, (*x.shape[:place], *x.shape[place + 1 :]))


class EinsumOperation(Operation):
    """Sums of products over named axes."""

    subscripts: str

    def call(self, *operands: Value) -> Any:
        return einsum(self.subscripts, *map(as_float, operands))


class TensordotOperation(Operation):
    """Products summed over the last axes of one tensor and the first ones of the other."""

    axes: int | tuple[Any, ...] = 2

    def call(self, x1: Operand, x2: Operand) -> Any:
        left, right = (as_float(x) for x in valued(x1, x2))
        letters = iter("abcdefghijklmnopqrstuvwxyz")
        names = [[next(letters) for _ in range(x.ndim)] for x in (left, right)]
        if isinstance(self.axes, int):
            pairs = [(left.ndim - self.axes + i, i) for i in range(self.axes)]
        else:
            first, second = ([x] if isinstance(x, int) else list(x) for x in self.axes)
            pairs = [
                (axis_of(a, left), axis_of(b, right)) for a, b in zip(first, second, strict=True)
            ]
        for one, other in pairs:
            names[1][other] = names[0][one]
        summed = {names[0][one] for one, _ in pairs}
        kept = [name for part in names for name in part if name not in summed]
        return einsum(f"{''.join(names[0])},{''.join(names[1])}->{''.join(kept)}", left, right)


class WhereOperation(Operation):
    """One of two, by a condition."""

    def call(self, condition: Value, x1: Operand, x2: Operand) -> Any:
        return ops.select(as_bool(condition), *broadcastable(valued(x1, x2)))


class ClipOperation(Operation):
    """Elements brought between two bounds."""

    x_min: float | None = None
    x_max: float | None = None

    def call(self, x: Value) -> Any:
        if self.x_min is not None:
            x = ops.maximum(x, self.x_min)
        return x if self.x_max is None else ops.minimum(x, self.x_max)


class StackOperation(Operation):
    """Tensors side by side along a new axis."""

    axis: int = 0

    def call(self, x: Any) -> Any:
        values = list(x)
        ndim = values[0].ndim + 1
        if not -ndim <= self.axis < ndim:
            raise ShapeError(f"axis {self.axis} does not exist in {ndim} axes")
        place = self.axis % ndim
        return joined(
            [ops.reshape(v, (*v.shape[:place], 1, *v.shape[place:])) for v in values], place
        )


class SplitOperation(Operation):
    """Parts along an axis, equally long or between given places."""

    indices_or_sections: int | tuple[int, ...]
    axis: int = 0

    def call(self, x: Value) -> Any:
        axis = axis_of(self.axis, x)
        length, given = x.shape[axis], self.indices_or_sections
        if isinstance(given, int):
            if not isinstance(length, int) or length % given:
                raise ShapeError(f"axis {axis} of length {length} does not split into {given}")
            given = tuple(range(length // given, length, length // given))
        ends = (0, *given, length)
        return [ops.slice_axis(x, axis, *ends[i : i + 2]) for i in range(len(ends) - 1)]


class UnstackOperation(Operation):
    """The parts of length 1 along an axis, without it."""

    module: ClassVar[str] = "keras.src.ops.core"

    num: int | None = None
    axis: int = 0

    def call(self, x: Value) -> Any:
        axis = axis_of(self.axis, x)
        length = x.shape[axis]
        if not isinstance(length, int):
            raise ShapeError(f"axis {axis} must have a known length, but the input is {x.type}")
        parts = (ops.slice_axis(x, axis, i, i + 1) for i in range(length))
        return [_without(part, axis) for part in parts]


class SwapaxesOperation(Operation):
    """Two axes in each other's place."""

    axis1: int
    axis2: int

    def call(self, x: Value) -> Any:
        one, other = axis_of(self.axis1, x), axis_of(self.axis2, x)
        order = list(range(x.ndim))
        order[one], order[other] = other, one
        return ops.transpose(x, tuple(order))


class MoveaxisOperation(Operation):
    """Axes taken out and put into other places."""

    source: int | tuple[int, ...]
    destination: int | tuple[int, ...]

    def call(self, x: Value) -> Any:
        taken, places = (
            [axis_of(axis, x) for axis in ((given,) if isinstance(given, int) else given)]
            for given in (self.source, self.destination)
        )
        rest = iter(axis for axis in range(x.ndim) if axis not in taken)
        moved = dict(zip(places, taken, strict=True))
        order = tuple(moved[axis] if axis in moved else next(rest) for axis in range(x.ndim))
        return ops.transpose(x, order)


class RepeatOperation(Operation):
    """Every element several times in a row along an axis."""

    repeats: int
    axis: int

    def call(self, x: Value) -> Any:
        return ops.repeat(x, self.repeats, axis_of(self.axis, x))


class TileOperation(Operation):
    """Copies one after the other along each axis."""

    repeats: int | tuple[int, ...]

    def call(self, x: Value) -> Any:
        counts = (self.repeats,) if isinstance(self.repeats, int) else tuple(self.repeats)
        x = ops.reshape(x, (*(1,) * (len(counts) - x.ndim), *x.shape))
        counts = (*(1,) * (x.ndim - len(counts)), *counts)
        for axis, count in enumerate(counts):
            x = x if count == 1 else ops.concatenate([x] * count, axis)
        return x


class FlipOperation(Operation):
    """Elements in opposite order along axes."""

    axis: Axes = None

    def call(self, x: Value) -> Any:
        return ops.reverse(x, axes_of(self.axis, x))


class BroadcastToOperation(Operation):
    """A tensor stretched to a shape."""

    shape: tuple[int | None, ...]

    def call(self, x: Value) -> Any:
        own = (*(1,) * (len(self.shape) - x.ndim), *x.shape)
        pairs = zip(self.shape, own, strict=True)
        shape = tuple(length if given is None else given for given, length in pairs)
        return ops.broadcast_to(x, shape)


class PadOperation(Operation):
    """More elements of one number before and behind."""

    pad_width: Any
    mode: str = "constant"

    def call(self, x: Value, constant_values: object = None) -> Any:
        if self.mode != "constant":
            raise CompileError(f"mode is {self.mode!r}, but only 'constant' is known")
        width = np.broadcast_to(np.asarray(self.pad_width), (x.ndim, 2)).tolist()
        number = 0.0 if constant_values is None else float(np.asarray(constant_values))
        return ops.Pad(tuple(map(tuple, width)), number)(x)


class TakeOperation(Operation):
    """Parts along an axis by their numbers, which count from behind where they are negative."""

    axis: int | None = None

    def call(self, x: Operand, indices: object) -> Any:
        table = x if isinstance(x, Value) else ops.constant(np.asarray(x, "float32"))
        numbers = indices if isinstance(indices, Value) else ops.constant(np.asarray(indices, "i4"))
        numbers = ops.cast(numbers, "i32")
        if self.axis is None:
            table = ops.reshape(table, (table.tensor_type.size,))
        axis = axis_of(self.axis or 0, table)
        length = table.shape[axis]
        if isinstance(length, int):
            below = ops.Less()(numbers, ops.constant(0, "i32"))
            numbers = ops.select(below, ops.add(numbers, length), numbers)
        order = (axis, *(place for place in range(table.ndim) if place != axis))
        found = ops.gather(ops.transpose(table, order), numbers)
        before = tuple(range(numbers.ndim, numbers.ndim + axis))
        behind = tuple(range(numbers.ndim + axis, found.ndim))
        return ops.transpose(found, (*before, *range(numbers.ndim), *behind))
