"""A convolution and the maximum over 2 x 2 of its results that follows, in one kernel.

What only the pooling would read never goes to memory, and results that no window reaches are not
computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Mask, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering
from kerac.backends.llvm.pointwise import Part, Position, evaluate_members
from kerac.backends.llvm.reduction import Combination
from kerac.backends.llvm.register_tiles import activated
from kerac.backends.llvm.window import Axis
from kerac.ir.dims import known_dim
from kerac.ir.ops.activation import Relu
from kerac.ir.ops.pooling import MaxPool
from kerac.ir.ops.reduction import ReduceMax
from kerac.ir.ops.window import explicit_padding
from kerac.ir.types import known_shape

SIDE = 2  # results along an axis of which one is kept

Result = tuple[Register, Position]


@dataclass(frozen=True)
class Pooled:
    """The work on maxima over windows of a convolution's results, in the convolution's kernel."""

    k: GroupKernel
    group: Group

    @property
    def _is_late(self) -> bool:
        """Whether bias and activation may follow the maximum, which they leave in its place."""
        k, anchor = self.k, self.k.group.head
        residual = [*anchor.inputs, None][3:4]
        activation = getattr(anchor.op, "activation", None)
        is_alone = k.group.members == (anchor,) and residual in ([], [None])
        return is_alone and (activation is None or isinstance(activation, Relu))

    def maximum(self, results: Sequence[Result], mask: Mask) -> Register:
        """Of sums in the same window, each with its place; or of what becomes of them."""
        k = self.k
        values = [value for value, _ in results]
        if not self._is_late:
            values = [
                evaluate_members(k, k.group, activated(k, value, place, mask), place, k.lanes, mask)
                for value, place in results
            ]
        found = values[0]
        for value in values[1:]:
            found = self.larger(found, value)
        return found

    def larger(self, x: Register, y: Register) -> Register:
        """Of two maxima."""
        found: Register = Combination.of(ReduceMax(()), self.group.head.dtype)(self.k, x, y)
        return found

    def finish(self, value: Register, first: Position, place: Position, mask: Mask) -> None:
        """Write what becomes of a maximum; `first` is the place of a result in its window."""
        k = self.k
        if self._is_late:
            value = activated(k, value, first, mask)
        k.finish_group(self.group, value, place, mask)

    def place(self, image: Index, y: Index, x: Index, column: Index) -> Position:
        """The place of the window that begins in line `y` and column `x` of the results."""
        k, ndim = self.k, self.group.head.ndim
        height = known_dim(self.group.head.shape[1])
        row = k.add(k.multiply(image, height), k.quotient(y, SIDE))
        parts = (Part(row, 0, ndim - 2), Part(k.quotient(x, SIDE), ndim - 2, ndim - 1))
        return Position((*parts, Part(column, ndim - 1, ndim)))


def find_pool(lowering: Lowering, group: Group, axes: Sequence[Axis]) -> Group | None:
    """The group of a maximum over 2 x 2 that alone reads what a convolution's group makes."""
    if len(axes) != SIDE or not all(isinstance(axis.length, int) for axis in axes):
        return None
    root, waiting = group.root, [g for g in lowering.waiting if g.anchor is not None]
    readers = [other for other in waiting if root in other.head.operands]
    if not readers or not _is_fitting(lowering, group, readers[0]):
        return None
    return readers[0] if lowering.reads_alone(root, readers[0]) else None


def _is_fitting(lowering: Lowering, group: Group, reader: Group) -> bool:
    """Whether windows of 2 x 2 lie side by side from the first result on, none beyond the last."""
    op = reader.head.op
    if not isinstance(op, MaxPool) or group.root.shape != group.head.shape:
        return False
    spatial, sides = group.root.shape[1:-1], (SIDE, SIDE)
    padding = explicit_padding(spatial, op.window, op.strides, (1, 1), op.padding)
    return (
        (*op.window,) == (*op.strides,) == sides
        and all(pair == (0, 0) for pair in padding)
        and min(known_shape(spatial)) >= SIDE
        and group.root.dtype == "f32"
    )


def windows_alone(axes: Sequence[Axis]) -> list[Axis]:
    """The axes with those positions alone that whole windows of the pooling reach."""
    return [replace(axis, positions=known_dim(axis.positions) // SIDE * SIDE) for axis in axes]
