"""Softmax and its relatives along any axis; short lines stay in registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lines import Line, Nest, for_each_line
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.pointwise import Position, epilogue_shapes
from kerac.ir.ops.reduction import AlongAxis, LogSoftmax, Softmax, Sparsemax
from kerac.ir.types import TensorType, computing_dtype


@lowers(Softmax, reads_pieces=(0,))
def lower_softmax(lowering: Lowering, group: Group) -> None:
    """y[i] = exp(x[i] - max x) / sum over j of exp(x[j] - max x)"""

    def line(k: GroupKernel, x: Line, finish: Callable[[Register, Position, Mask], None]) -> None:
        top = x.maximum()

        def power(value: Register, mask: Mask) -> Register:
            return k.keep(mask, k.mathematics.exp(value - top), 0.0)

        powers, total = x.map_sum(power, lambda: powers_memory(lowering, group, k, x.dtype))
        scale = 1.0 / total
        powers.each(lambda value, position, mask: finish(value * scale, position, mask))

    lower_lines(lowering, group, line)


@lowers(LogSoftmax, reads_pieces=(0,))
def lower_log_softmax(lowering: Lowering, group: Group) -> None:
    """y[i] = x[i] - max x - log(sum over j of exp(x[j] - max x))"""

    def line(k: GroupKernel, x: Line, finish: Callable[[Register, Position, Mask], None]) -> None:
        top = x.maximum()
        logarithm = k.mathematics.log(x.sum(lambda value: k.mathematics.exp(value - top)))
        x.each(lambda value, position, mask: finish(value - top - logarithm, position, mask))

    lower_lines(lowering, group, line)


@lowers(Sparsemax, reads_pieces=(0,))
def lower_sparsemax(lowering: Lowering, group: Group) -> None:
    """y[i] = max(x[i] - t, 0) with t such that the sum over i of y[i] is 1

    Without sorting (Michelot, 1986): t is the one of the elements above the last t, until none of
    them falls out.
    """

    def line(k: GroupKernel, x: Line, finish: Callable[[Register, Position, Mask], None]) -> None:
        top = x.maximum()
        length = k.dim(x.nest.count)
        scalar = Kind(x.dtype, 1 if x.nest.along else x.lanes)
        count = (
            k.convert(length, x.dtype) if isinstance(length, Register) else k.number(length, scalar)
        )
        count = count if count.kind == scalar else k.broadcast(count, scalar.lanes)
        threshold = (x.sum(lambda value: value - top) - 1.0) / count

        def narrow(_: Index, threshold: Register, count: Register) -> tuple[Any, ...]:
            def above(value: Register) -> Any:
                return k.compare("greater", value - top, threshold)

            number = x.sum(lambda value: k.select(above(value), 1.0, 0.0, value.kind))
            inside = x.sum(lambda value: k.select(above(value), value - top, 0.0))
            return (inside - 1.0) / number, number

        def attempt(
            _: Index, threshold: Register, count: Register, change: Register
        ) -> tuple[Any, ...]:
            # a loop that runs once or not at all: what has come to rest is not computed again
            again = k.loop("again", 0, change, narrow, carried=(threshold, count))
            changed = k.compare("not_equal", again[1], count)
            return *again, k.convert(k.reduce("or", k.convert(changed, "i32")), "i64")

        one = k.number(1, Kind("i64"))
        threshold, *_ = k.loop("attempt", 0, length, attempt, carried=(threshold, count, one))
        x.each(
            lambda value, position, mask: finish(
                k.maximum(value - top - threshold, 0.0), position, mask
            )
        )

    lower_lines(lowering, group, line)


def lower_lines(
    lowering: Lowering,
    group: Group,
    body: Callable[[GroupKernel, Line, Callable[[Register, Position, Mask], None]], None],
) -> None:
    """A kernel that does body(k, line, finish) on every line along the anchor's axis."""
    anchor = group.head
    op, x = group.head_op(AlongAxis), anchor.operands[0]
    k = lowering.kernel(group)
    nest = Nest.of(x.shape, (op.axis,), epilogue_shapes(k), k.pitch(x))

    def finish(value: Register, position: Position, mask: Mask) -> None:
        k.finish(k.convert(value, anchor.dtype), position, mask)

    for_each_line(k, nest, k.read(x), computing_dtype(x.dtype), lambda line: body(k, line, finish))
    lowering.launch(k)


def powers_memory(lowering: Lowering, group: Group, k: GroupKernel, dtype: str) -> Pointer:
    """Where powers wait for their sum: in the result's place, unless something else goes there."""
    anchor = group.head
    if group.root is anchor and anchor.dtype == dtype and k.pitch(anchor) is None:
        return k.write(anchor)
    return k.write(lowering.scratch(TensorType(dtype, anchor.shape), "powers"))
