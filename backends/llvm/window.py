"""Sliding windows over spatial axes: which elements of the window lie inside the array, and where.

All spatial axes but the last are walked with the range of the window clamped to the array, so that
padding costs nothing there. Along the last axis tiles of positions are laid out when the kernel is
built: those at the border know which of their positions each element of the window reaches, those
inside need no test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kerac.backends.llvm.kernel import Index, KernelBuilder, Kind
from kerac.ir.dims import DimLike, known_dim
from kerac.ir.ops.window import Padding, explicit_padding
from kerac.ir.types import Shape

Reached = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Axis:
    """One spatial axis: its length, the window on it, and the number of positions."""

    length: DimLike
    window: int
    stride: int
    dilation: int
    before: DimLike
    after: DimLike
    positions: DimLike

    @property
    def padded(self) -> bool:
        """Whether windows reach beyond the array."""
        return self.before != 0 or self.after != 0


@dataclass(frozen=True)
class Span:
    """`count` tiles of `rows` positions from `first` on; element t reaches the rows `valid[t]`."""

    first: int
    count: int
    rows: int
    valid: tuple[tuple[int, ...], ...]


def window_axes(
    spatial: Shape,
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Padding,
    positions: Shape,
) -> list[Axis]:
    """The spatial axes of an op."""
    pairs = explicit_padding(spatial, window, strides, dilation, padding)
    return [
        Axis(length, w, s, d, before, after, places)
        for length, w, s, d, (before, after), places in zip(
            spatial, window, strides, dilation, pairs, positions, strict=True
        )
    ]


def spans(axis: Axis, rows: int) -> Iterator[Span]:
    """Tiles of at most `rows` positions over an axis of fixed length; equal neighbours together."""
    positions = known_dim(axis.positions)
    pending: Span | None = None
    for first in range(0, positions, rows):
        height = min(rows, positions - first)
        valid = tuple(_valid(axis, first, height, element) for element in range(axis.window))
        whole = all(len(reached) == height for reached in valid)
        if pending and whole and pending.valid == valid:
            pending = Span(pending.first, pending.count + 1, height, valid)
            continue
        if pending:
            yield pending
        pending = Span(first, 1, height, valid)
    if pending:
        yield pending


def _valid(axis: Axis, first: int, rows: int, element: int) -> tuple[int, ...]:
    length, before = known_dim(axis.length), known_dim(axis.before)
    places = [(first + row) * axis.stride + element * axis.dilation - before for row in range(rows)]
    return tuple(row for row, place in enumerate(places) if 0 <= place < length)


def share_inside(axis: Axis) -> float:
    """What part of all windows along an axis of fixed length lies inside it."""
    positions = known_dim(axis.positions)
    reached = sum(len(_valid(axis, 0, positions, element)) for element in range(axis.window))
    return reached / (positions * axis.window)


def over_last_axis(
    k: KernelBuilder, axis: Axis, rows: int, tile: Callable[[Index, int, Reached | None], None]
) -> None:
    """tile(first, positions, reached) until all positions are covered, `rows` at a time.

    reached[e] are the positions of the tile whose element e lies inside; None where all are.
    """
    if isinstance(axis.positions, int) and isinstance(axis.length, int):
        for span in spans(axis, rows):
            stop = span.first + span.count * span.rows

            def one(w: Index, span: Span = span) -> None:
                tile(w, span.rows, span.valid)

            k.loop("w", span.first, stop, one, step=span.rows)
        return
    total = k.dim(axis.positions)
    high = total // rows * rows
    k.loop("w", 0, high, lambda w: tile(w, rows, None), step=rows)
    k.loop("w", high, total, lambda w: tile(w, 1, None))


def clamped_range(k: KernelBuilder, axis: Axis, position: Index) -> tuple[Index, Index]:
    """First and last + 1 element of the window at `position` that lie inside the array."""
    if not axis.padded:
        return 0, axis.window
    start = k.subtract(position * axis.stride, k.dim(axis.before))
    # element e lies at start + e * dilation; divisions round up, their operands are not negative
    low = k.quotient(k.maximum(k.subtract(axis.dilation - 1, start), 0), axis.dilation)
    room = k.maximum(k.add(k.subtract(k.dim(axis.length), start), axis.dilation - 1), 0)
    high = k.minimum(k.quotient(room, axis.dilation), axis.window)
    return k.minimum(low, high), high


def over_leading_window(
    k: KernelBuilder,
    axes: Sequence[Axis],
    positions: Sequence[Index],
    body: Callable[[Index, Index, Sequence[Any]], Sequence[Any]],
    carried: Sequence[Any],
    kinds: Sequence[Kind],
) -> tuple[Any, ...]:
    """body(row of the array, row of the window, carried) over the window on the leading axes.

    A row counts the places of all leading axes together, row-major.
    """
    ranges = [
        clamped_range(k, axis, position) for axis, position in zip(axes, positions, strict=True)
    ]

    def nest(
        place: int, array_row: Index, window_row: Index, inner: Sequence[Any]
    ) -> Sequence[Any]:
        if place == len(axes):
            return body(array_row, window_row, inner)
        axis = axes[place]
        low, high = ranges[place]
        before = k.dim(axis.before)

        def element(e: Index, *values: Any) -> Sequence[Any]:
            at = k.subtract(positions[place] * axis.stride + e * axis.dilation, before)
            return nest(
                place + 1, array_row * k.dim(axis.length) + at, window_row * axis.window + e, values
            )

        return k.loop("e", low, high, element, carried=inner, kinds=kinds)

    return tuple(nest(0, 0, 0, carried))


def leading_extents(k: KernelBuilder, axes: Sequence[Axis]) -> dict[str, Index]:
    """The positions on the leading axes, as extents of a parallel region."""
    return {f"p{place}": k.dim(axis.positions) for place, axis in enumerate(axes)}


def row_number(k: KernelBuilder, axes: Sequence[Axis], positions: Sequence[Index]) -> Index:
    """Positions on all axes as one row-major number."""
    row: Index = 0
    for axis, position in zip(axes, positions, strict=True):
        row = k.add(k.multiply(row, k.dim(axis.positions)), position)
    return row
