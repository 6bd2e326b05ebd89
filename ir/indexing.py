"""Parts of values by numbers and slices, as `x[:, -1]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerac.ir.errors import ShapeError

if TYPE_CHECKING:
    from kerac.ir.graph import Value


def part_of(x: Value, key: object) -> Value:
    """The part of x along axes by numbers and slices; None makes a new axis."""
    from kerac.ir import ops

    entries = _whole_key(key, x)
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
