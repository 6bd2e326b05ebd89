"""Parts of values by numbers and slices, as `x[:, -1]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.errors import ShapeError

if TYPE_CHECKING:
    from kerac.ir.graph import Value


def part_of(x: Value, key: object) -> Value:
    """The part of x along axes by numbers and slices; None makes a new axis."""
    from kerac.ir import ops

    entries = [
        int(entry) if isinstance(entry, np.integer) else entry for entry in _whole_key(key, x)
    ]
    numbers = [place for place, entry in enumerate(entries) if _is_numbers(entry)]
    if len(numbers) == 1:
        return _taken(x, entries, numbers[0])
    x, entries = _turned(x, entries)
    start: list[Any] = []
    stop: list[Any] = []
    step: list[int] = []
    kept: list[Any] = []
    lengths = iter(x.shape)
    for entry in entries:
        if entry is None:
            kept.append(1)
            continue
        length = next(lengths)
        if type(entry) is int:
            first = entry + length if entry < 0 else entry
            start, stop, step = [*start, first], [*stop, first + 1], [*step, 1]
            continue
        if not _is_slice(entry):
            raise ShapeError(f"a part of a tensor is taken by {entry!r}, but slices can")
        first, last = _bound(entry.start, length, 0), _bound(entry.stop, length, length)
        stride = entry.step or 1
        start, stop, step = [*start, first], [*stop, last], [*step, stride]
        kept.append((last - first + stride - 1) // stride)
    steps = () if set(step) == {1} else tuple(step)
    part = ops.Slice(tuple(start), tuple(stop), steps)(x)
    return ops.reshape(part, tuple(kept))


def _is_numbers(entry: Any) -> bool:
    """Whether an entry holds several numbers."""
    if hasattr(entry, "tensor_type"):
        return True
    kind = np.asarray(entry).dtype.kind if isinstance(entry, list | np.ndarray) else ""
    return kind in ("i", "u")


def _taken(x: Value, entries: list[Any], place: int) -> Value:
    """The parts that one entry names by numbers, after what all others take."""
    from kerac.ir import ops

    given = entries[place]
    numbers = given if hasattr(given, "tensor_type") else ops.constant(np.asarray(given, "i4"))
    part = part_of(x, [*entries[:place], slice(None), *entries[place + 1 :]])
    axis = sum(entry is None or isinstance(entry, slice) for entry in entries[:place])
    last = part.shape[axis]
    length = ops.constant(last, "i32") if isinstance(last, int) else ops.Length(last, "i32")()
    numbers = ops.cast(numbers, "i32")
    below = ops.Less()(numbers, ops.constant(0, "i32"))
    numbers = ops.select(below, ops.add(numbers, length), numbers)
    order = (axis, *(other for other in range(part.ndim) if other != axis))
    found = ops.gather(ops.transpose(part, order), numbers)
    behind = tuple(range(numbers.ndim + axis, found.ndim))
    before = tuple(range(numbers.ndim, numbers.ndim + axis))
    return ops.transpose(found, (*before, *range(numbers.ndim), *behind))


def _turned(x: Value, entries: list[Any]) -> tuple[Value, list[Any]]:
    """x in opposite order along axes that are gone through backwards, and the entries for that."""
    from kerac.ir import ops

    axes, changed, axis = [], [], -1
    for entry in entries:
        axis += entry is not None
        if isinstance(entry, slice) and type(entry.step) is int and entry.step < 0:
            axes.append(axis)
            length = x.shape[axis]
            ends = (
                None if end is None else length - 1 - (end + length if end < 0 else end)
                for end in (entry.start, entry.stop)
            )
            first, last = ends
            first = max(first, 0) if isinstance(first, int) else first
            entry = slice(first, last, -entry.step)
        changed.append(entry)
    return (ops.reverse(x, tuple(axes)) if axes else x), changed


def _whole_key(key: Any, x: Value) -> list[Any]:
    """One entry for each axis of x, and None for each new one."""
    entries: list[Any] = list(key) if isinstance(key, list | tuple) else [key]
    lacking = x.ndim - sum(entry is not None and entry is not Ellipsis for entry in entries)
    places = [place for place, entry in enumerate(entries) if entry is Ellipsis]
    if lacking < 0 or len(places) > 1:
        raise ShapeError(f"{x.ndim - lacking} axes are indexed, but the input is {x.type}")
    place = places[0] if places else len(entries)
    entries[place : place + 1] = [slice(None)] * lacking
    return entries


def _is_slice(entry: Any) -> bool:
    """Whether an entry is a slice by whole numbers that goes forward."""
    if not isinstance(entry, slice):
        return False
    bounds = (entry.start, entry.stop, entry.step)
    return all(n is None or type(n) is int for n in bounds) and (entry.step or 1) > 0


def _bound(bound: Any, length: Any, default: Any) -> Any:
    if bound is None:
        return default
    if isinstance(length, int):
        return min(max(bound + length if bound < 0 else bound, 0), length)
    return bound + length if bound < 0 else bound
