"""Arguments that layers with spatial axes share: sizes, borders, kinds of padding."""

from __future__ import annotations

from typing import Annotated, Any

from kerac.convert import Conversion, NotConvertibleError
from kerac.ir.errors import CompileError, ShapeError

Sizes = int | tuple[int, ...]
"""The kind of a field that holds one number for all spatial axes, or one for each."""

Borders = int | tuple[int | tuple[int, int], ...]
"""The kind of a field that holds (before, after) for each spatial axis, or fewer numbers."""


def _padding(*choices: str) -> Conversion:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise NotConvertibleError
        return value.lower()

    return Conversion(read, str, f"one of {', '.join(map(repr, choices))}")


Padding = Annotated[str, _padding("valid", "same")]
PaddingOrCausal = Annotated[str, _padding("valid", "same", "causal")]


def sizes(layer: Any, name: str, rank: int) -> tuple[int, ...]:
    """The field `name` of a layer as one positive number for each of `rank` axes."""
    given = getattr(layer, name)
    numbers = (given,) * rank if isinstance(given, int) else tuple(given)
    if len(numbers) != rank or min(numbers) < 1:
        wanted = "a positive integer" if rank == 1 else f"{rank} positive integers"
        raise CompileError(
            f"{type(layer).__name__} {layer.name!r}: {name} is {given}, but must be {wanted}"
        )
    return numbers


def borders(layer: Any, name: str, rank: int) -> Borders:
    """The field `name` of a layer as Keras writes it: a pair, or one for each of several axes."""
    given = getattr(layer, name)
    if isinstance(given, int):
        given = (given,) * (2 if rank == 1 else rank)
    full = given if rank == 1 else tuple((x, x) if isinstance(x, int) else x for x in given)
    if any(isinstance(entry, int) for entry in full) != (rank == 1) or (
        len(pairs(full)) != rank or any(len(pair) != 2 or min(pair) < 0 for pair in pairs(full))
    ):
        raise CompileError(
            f"{type(layer).__name__} {layer.name!r}: {name} is {getattr(layer, name)}, "
            f"but must be {'two' if rank == 1 else f'{rank} pairs of'} integers >= 0"
        )
    return full


def pairs(given: Any) -> tuple[tuple[int, int], ...]:
    """What `borders` returned as one (before, after) for each axis."""
    return (given,) if isinstance(given[0], int) else given


def positive(layer: Any, *names: str) -> None:
    """Each of these fields must be at least 1."""
    for name in names:
        if getattr(layer, name) < 1:
            raise CompileError(
                f"{type(layer).__name__} {layer.name!r}: {name} is {getattr(layer, name)}, "
                "but must be positive"
            )


def not_both_above_one(layer: Any, *names: str) -> None:
    """At most one of two fields, each with a number for each axis, may have any above 1."""
    first, second = (getattr(layer, name) for name in names)
    if max(first) > 1 and max(second) > 1:
        raise CompileError(
            f"{type(layer).__name__} {layer.name!r}: {names[0]} is {first} and {names[1]} is "
            f"{second}, but only one of them may be above 1"
        )


def check_ndim(shape: tuple[Any, ...], ndim: int) -> None:
    """An input must have `ndim` axes."""
    if len(shape) != ndim:
        lengths = ", ".join("None" if length is None else str(length) for length in shape)
        raise ShapeError(f"needs an input of {ndim} axes, but got one of shape ({lengths})")
