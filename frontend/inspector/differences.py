"""What differs between two graphs: value by value under their names in the text, and by lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from kerac.ir import Graph, Value, type_text
from kerac.ir.op import op_text, operand_names
from kerac.ir.ops.constant import Call, Constant, Parameter
from kerac.ir.text import printed_names

SAME, CHANGED, REMOVED, ADDED = ".", "~", "-", "+"


@dataclass(frozen=True)
class Line:
    """One line of a graph's text; `code` is the line without the comment that says its origin."""

    text: str
    code: str
    name: str = ""  # of the value that it defines


class Listing:
    """The text of a graph, and which line of it defines which value."""

    def __init__(self, graph: Graph) -> None:
        """Print `graph`."""
        self.graph = graph
        names = printed_names(graph)
        printed = str(graph).splitlines()
        # functions that the graph calls are printed before it
        self.start = max(i for i, line in enumerate(printed) if line.startswith("def "))
        defined = {names[value]: value for value in graph.values}
        self.lines = [
            _line(text, defined if number > self.start else {})
            for number, text in enumerate(printed)
        ]
        self.names: dict[Value, str] = names
        self.line_of = {line.name: number for number, line in enumerate(self.lines) if line.name}

    @cached_property
    def weights(self) -> frozenset[str]:
        """Names of the values that are given and not computed."""
        return frozenset(
            name for value, name in self.names.items() if isinstance(value.op, Constant | Parameter)
        )

    @cached_property
    def codes(self) -> dict[str, str]:
        """What each value does, by its name: op, type, weights; not how its operands are called.

        Scalars that stand in place have no name.
        """
        named = ((value, name) for value, name in self.names.items() if name.isidentifier())
        return {name: _code(value) for value, name in named}


def _code(value: Value) -> str:
    roles = operand_names(type(value.op), len(value.inputs))
    operands = []
    for role, operand in zip(roles, value.inputs, strict=True):
        if operand is not None:
            is_weight = isinstance(operand.op, Constant | Parameter)
            operands.append(f"{role}={op_text(operand.op)}" if is_weight else role)
    name = value.op.graph.name if isinstance(value.op, Call) else op_text(value.op)
    return f"{name} {operands} {type_text(value.type)}"


def _line(text: str, defined: dict[str, Value]) -> Line:
    name = text.strip().partition(":")[0]
    value = defined.get(name)
    if value is None:
        return Line(text, text)
    return Line(text, text.removesuffix(f"  # {value.origin}"), name)


class Difference:
    """What changed from one graph to another."""

    def __init__(self, before: Listing, after: Listing) -> None:
        """Compare two listings."""
        self.before = before
        self.after = after

    @cached_property
    def removed(self) -> tuple[str, ...]:
        """Names that only the first graph has."""
        return tuple(name for name in self.before.codes if name not in self.after.codes)

    @cached_property
    def added(self) -> tuple[str, ...]:
        """Names that only the second graph has."""
        return tuple(name for name in self.after.codes if name not in self.before.codes)

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Names that both graphs have for values that do different things."""
        codes = self.before.codes
        return tuple(n for n, code in self.after.codes.items() if codes.get(n, code) != code)

    def computed(self, names: tuple[str, ...]) -> list[str]:
        """Those of `names` that are no weights."""
        return [n for n in names if n not in self.before.weights and n not in self.after.weights]

    @property
    def is_empty(self) -> bool:
        """Whether both graphs have the same text but for origins."""
        return all(is_equal for is_equal, *_ in self.blocks)

    def status_before(self, name: str) -> str:
        """What became of a value of the first graph."""
        return REMOVED if name in self._removed else CHANGED if name in self._changed else SAME

    def status_after(self, name: str) -> str:
        """How a value of the second graph came."""
        return ADDED if name in self._added else CHANGED if name in self._changed else SAME

    @cached_property
    def _removed(self) -> frozenset[str]:
        return frozenset(self.removed)

    @cached_property
    def _added(self) -> frozenset[str]:
        return frozenset(self.added)

    @cached_property
    def _changed(self) -> frozenset[str]:
        return frozenset(self.changed)

    @cached_property
    def blocks(self) -> list[tuple[bool, int, int, int, int]]:
        """Runs of lines: whether they are equal, and from where to where in each listing."""
        a, b = [[line.code for line in side.lines] for side in (self.before, self.after)]
        codes = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
        return [(tag == "equal", a0, a1, b0, b1) for tag, a0, a1, b0, b1 in codes]

    def marked_lines(self, context: int | None = None) -> Iterator[tuple[str, str]]:
        """Lines marked as `diff` does; `@` stands for equal lines further away than `context`."""
        for is_equal, a0, a1, b0, b1 in self.blocks:
            if not is_equal:
                yield from ((REMOVED, line.text) for line in self.before.lines[a0:a1])
                yield from ((ADDED, line.text) for line in self.after.lines[b0:b1])
                continue
            texts = [line.text for line in self.after.lines[b0:b1]]
            head = 0 if a0 == 0 else context
            tail = 0 if a1 == len(self.before.lines) else context
            if head is None or tail is None or len(texts) <= head + tail + 1:
                yield from ((" ", text) for text in texts)
                continue
            yield from ((" ", text) for text in texts[:head])
            yield "@", f"{len(texts) - head - tail} equal lines"
            yield from ((" ", text) for text in texts[len(texts) - tail :])
