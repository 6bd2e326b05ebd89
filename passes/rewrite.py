"""Rules on single values, applied all over a graph until none applies any more.

A rule looks at one value and returns what shall stand in its place, or None. It finds the value's
operands rewritten already, and in `uses` how many uses each of them has. It never walks, deletes,
counts or logs.

What a rule makes receives the name of the value it replaces, unless the rule names it (the result
itself always takes that name), and the origins of all values that vanish with it, unless the rule
gives it one, as it does where it moves ops past each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from kerac.ir import Graph, InternalError, Origin, Value, origin_scope, type_text
from kerac.ir.ops import Input

Uses = Mapping[Value, int]
Rule = Callable[[Value, Uses], Value | None]

MAXIMUM_WALKS = 100
MAXIMUM_STEPS = 1000  # rules in a row on one value


def rewrite(
    graph: Graph,
    rules: Sequence[Rule],
    name: str = "rewrite",
    changes: Counter[str] | None = None,
) -> Graph:
    """Apply `rules` until none applies, and count in `changes` how often each did.

    `name` is that of the pass, for origins. Where nothing happens the result is `graph` itself.
    """
    counted = Counter[str]() if changes is None else changes
    for _ in range(MAXIMUM_WALKS):
        with origin_scope(Origin()):
            new = _Walk(graph, rules, name, counted).graph()
        if new is graph:
            return graph
        graph = new
    raise InternalError(f"{name}: rules do not come to rest on {graph.name}: {dict(counted)}")


class _Walk:
    """One walk from the inputs to the outputs."""

    def __init__(
        self, graph: Graph, rules: Sequence[Rule], name: str, changes: Counter[str]
    ) -> None:
        self.old = graph
        self.rules = rules
        self.name = name
        self.changes = changes
        self.uses = dict(graph.uses)

    def graph(self) -> Graph:
        """The graph with every value settled."""
        settled: dict[Value, Value] = {}
        for value in self.old.values:
            if isinstance(value.op, Input):
                continue
            current = self._settle(self._with_operands(value, settled))
            if current is not value:
                settled[value] = current
        if not settled:
            return self.old
        return self.old.with_outputs(settled.get(value, value) for value in self.old.outputs)

    def _with_operands(self, value: Value, settled: Mapping[Value, Value]) -> Value:
        if not any(operand in settled for operand in value.inputs):
            return value
        inputs = tuple(None if v is None else settled.get(v, v) for v in value.inputs)
        new = Value(value.op, inputs, value.type, value.name, value.origin)
        self.uses[new] = self.uses[value]
        return new

    def _settle(self, value: Value) -> Value:
        for _ in range(MAXIMUM_STEPS):
            for rule in self.rules:
                new = rule(value, self.uses)
                if new is not None and new is not value:
                    self.changes[rule.__name__] += 1
                    value = self._replace(value, new, rule.__name__)
                    break
            else:
                return value
        raise InternalError(f"{self.name}: rules do not come to rest at {value!r}")

    def _replace(self, old: Value, new: Value, rule: str) -> Value:
        if new.type != old.type:
            types = f"{type_text(old.type)} by {type_text(new.type)}"
            raise InternalError(
                f"{self.name}: {rule} replaces {old.name}: {types}\n{old!r}\n{new!r}"
            )
        made = self._made(new)
        for value in made:
            self.uses[value] = 0
        for value in made:
            for operand in value.operands:
                self.uses[operand] += 1
        moved, self.uses[old] = self._consumers(old, made)
        self.uses[new] += moved
        dead = self._release(old) if self.uses[old] == 0 else [old]
        return self._label(old, new, made, dead)

    def _consumers(self, old: Value, made: list[Value]) -> tuple[int, int]:
        """Uses of `old` that move to what replaces it, and those that what replaces it has."""
        kept = sum(operand is old for value in made for operand in value.operands)
        return self.uses[old] - kept, kept

    def _made(self, root: Value) -> list[Value]:
        """Values that were not there before, operands first."""
        order: dict[Value, None] = {}

        def visit(value: Value) -> None:
            if value not in self.uses and value not in order:
                for operand in value.operands:
                    visit(operand)
                order[value] = None

        visit(root)
        return list(order)

    def _release(self, root: Value) -> list[Value]:
        """Take back the uses that `root` has of others; the values that die, operands first."""
        dead: list[Value] = []
        stack = [(root, iter(root.operands))]
        while stack:
            value, operands = stack[-1]
            for operand in operands:
                self.uses[operand] -= 1
                if self.uses[operand] == 0 and not isinstance(operand.op, Input):
                    stack.append((operand, iter(operand.operands)))
                    break
            else:
                dead.append(value)
                stack.pop()
        return dead

    def _label(self, old: Value, new: Value, made: list[Value], dead: list[Value]) -> Value:
        united = Origin()
        for value in dead:
            united = united | value.origin
        labelled: dict[Value, Value] = {}
        for value in made:
            named = value.name != value.op.text_name and value is not new
            origin = self._signed(united if value.origin == Origin() else value.origin)
            inputs = tuple(None if v is None else labelled.get(v, v) for v in value.inputs)
            name = value.name if named else old.name
            labelled[value] = Value(value.op, inputs, value.type, name, origin)
            self.uses[labelled[value]] = self.uses.pop(value)
        return labelled.get(new, new)

    def _signed(self, origin: Origin) -> Origin:
        """`origin` with this pass as the last one."""
        return Origin(origin.layers, (*(p for p in origin.passes if p != self.name), self.name))
