"""Axes arranged by a pattern of names, as einops has it: `b h (w c) -> b (h w) c`."""

from __future__ import annotations

from math import prod
from typing import Any

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.ops.registry import Key, operation

Group = list[str]


@operation("einops")
def rearrange(tensor: Value, pattern: Key, **axes_lengths: int) -> Value:
    """Axes taken apart, moved and put together; lengths of parts are given by their names."""
    left, arrow, right = str(pattern).partition("->")
    if not arrow:
        raise CompileError(f"{pattern!r} is no pattern such as 'b h w -> b (h w)'")
    given, wanted = _groups(left), _groups(right)
    if len(given) != tensor.ndim:
        raise ShapeError(f"{pattern!r} names {len(given)} axes, but the tensor is {tensor.type}")
    lengths: dict[str, Any] = dict(axes_lengths)
    for group, length in zip(given, tensor.shape, strict=True):
        unknown = [name for name in group if name not in lengths]
        known = prod((lengths[name] for name in group if name in lengths), start=1)
        if len(unknown) > 1:
            raise CompileError(f"the lengths of {', '.join(unknown)} in {pattern!r} are not known")
        if unknown:
            lengths[unknown[0]] = length // known
    names = [name for group in given for name in group]
    order = [name for group in wanted for name in group]
    if sorted(names) != sorted(order):
        raise CompileError(f"both sides of {pattern!r} must have the same names")
    apart = ops.reshape(tensor, tuple(lengths[name] for name in names))
    moved = ops.transpose(apart, tuple(names.index(name) for name in order))
    shape = tuple(prod((lengths[name] for name in group), start=1) for group in wanted)
    return ops.reshape(moved, shape)


def _groups(text: str) -> list[Group]:
    """Names, those in parentheses together; 1 is an axis without a name."""
    found: list[Group] = []
    inside: Group | None = None
    for word in text.replace("(", " ( ").replace(")", " ) ").split():
        if word == "(":
            inside = []
        elif word == ")":
            found.append(inside or [])
            inside = None
        elif inside is not None:
            inside += [] if word == "1" else [word]
        else:
            found.append([] if word == "1" else [word])
    return found
