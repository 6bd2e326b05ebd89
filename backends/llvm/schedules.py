"""Choices that lowerings have, and what was found to be the best of them.

A lowering asks for one of some candidates, in the order in which its heuristic prefers them. What
was found for the same question is taken, or else the first. Every candidate computes the sums of a
result in an order of its own that depends on neither the batch nor the number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from kerac.ir.dims import symbols_of
from kerac.ir.graph import Value
from kerac.ir.ops.constant import Constant, Parameter

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Question:
    """What a lowering asked, as a text that says all that matters, and the names it can hear."""

    key: str
    anchor: Value
    candidates: tuple[str, ...]


@dataclass
class Schedules:
    """`finds` are names of candidates by the keys of questions; `asked` is all that was asked.

    They were found for some `lengths` of the symbols, which are part of the questions.
    """

    finds: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    asked: dict[str, Question] = field(default_factory=dict)

    def choose(self, what: str, anchor: Value, candidates: Mapping[str, Choice]) -> Choice:
        """What was found for `anchor`, or the first of the `candidates`."""
        names = tuple(candidates)
        key = self._key(what, anchor)
        self.asked.setdefault(key, Question(key, anchor, names))
        found = self.finds.get(key, names[0])
        return candidates[found if found in candidates else names[0]]

    def _key(self, what: str, anchor: Value) -> str:
        operands = [_operand_text(operand) for operand in anchor.inputs]
        arguments = ", ".join([*operands, *anchor.op.attribute_texts()])
        symbols = symbols_in(anchor.operands)
        lengths = [f"{name}={self.lengths[name]}" for name in symbols if name in self.lengths]
        return " ".join([what, "of", f"{anchor.op.text_name}({arguments})", *lengths])


def is_constant(value: Value) -> bool:
    """Whether a value's numbers are known when kernels are built."""
    return isinstance(value.op, Constant | Parameter)


def symbols_in(values: Sequence[Value]) -> list[str]:
    """The symbols in the types of `values`."""
    dims = [dim for value in values for dim in value.shape]
    return sorted({name for dim in dims for name in symbols_of(dim)})


def _operand_text(operand: Value | None) -> str:
    if operand is None:
        return "None"
    return f"{'constant ' if is_constant(operand) else ''}{operand.type}"
