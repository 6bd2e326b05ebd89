"""Strided views: what transposing, broadcasting, slicing, reversing and repeating have in common.

Each reads, for every element of the result in row-major order, one element of the operand whose
offset is linear in indices: base + index0 * stride0 + index1 * stride1 + ... A view is that list of
lengths and strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kerac.backends.llvm.elementwise import collapse
from kerac.backends.llvm.pointwise import spread, strides
from kerac.ir.dims import DimLike
from kerac.ir.graph import Value
from kerac.ir.ops.movement import BroadcastTo, Repeat, Reverse, Slice, Transpose
from kerac.ir.types import Shape


@dataclass(frozen=True)
class Way:
    """One index of a view: `length` elements of the operand, `stride` apart."""

    length: DimLike
    stride: DimLike


@dataclass(frozen=True)
class Section:
    """Ways that together count through the axes first ... last - 1 of the result."""

    first: int
    last: int
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class View:
    """The ways of each axis of the result, outermost first, and the offset of its first element."""

    axes: tuple[tuple[Way, ...], ...]
    base: DimLike = 0

    def sections(self, shape: Shape, shapes: Sequence[Shape]) -> tuple[Section, ...]:
        """Axes that operands of `shapes` let run together, each by as few ways as possible."""
        found = []
        for first, last in collapse(shape, list(shapes)):
            ways = merge([way for axis in self.axes[first:last] for way in axis])
            found.append(Section(first, last, tuple(ways)))
        return tuple(found)


def merge(ways: Sequence[Way]) -> list[Way]:
    """The same offsets in the same order by as few ways as possible."""
    merged: list[Way] = []
    for way in ways:
        if way.length == 1:
            continue
        if merged and merged[-1].stride == way.length * way.stride:
            merged[-1] = Way(merged[-1].length * way.length, way.stride)
        else:
            merged.append(way)
    return merged


def view_of(value: Value, pitch: int | None = None) -> View:
    """How `value` reads its operand, whose rows may lie `pitch` elements apart."""
    x = value.operands[0]
    distances = strides(x.shape, pitch)
    plain = [Way(length, stride) for length, stride in zip(x.shape, distances, strict=True)]
    match value.op:
        case Transpose(permutation):
            return View(tuple((plain[axis],) for axis in permutation))
        case BroadcastTo(shape):
            own = spread(x.shape, len(shape))
            return View(
                tuple(
                    (Way(dim, 0 if own[axis] == 1 else stride),)
                    for axis, (dim, stride) in enumerate(
                        zip(shape, strides(own, pitch), strict=True)
                    )
                )
            )
        case Slice() as op:
            axes = zip(value.shape, distances, op.steps, strict=True)
            base = sum((a * b for a, b in zip(op.start, distances, strict=True)), start=0)
            return View(tuple((Way(dim, stride * step),) for dim, stride, step in axes), base)
        case Reverse(axes):
            base = sum(((x.shape[axis] - 1) * distances[axis] for axis in axes), start=0)
            turned = [replace(way, stride=way.stride * -1) for way in plain]
            return View(
                tuple((turned[axis] if axis in axes else plain[axis],) for axis in range(x.ndim)),
                base,
            )
        case Repeat(axis, count):
            found = [(way,) for way in plain]
            return View((*found[:axis], (plain[axis], Way(count, 0)), *found[axis + 1 :]))
    raise TypeError(f"{value.op.text_name} is not a view")
