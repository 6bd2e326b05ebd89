"""What a pass is: options, a name, and a function from graph to graph."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from kerac.ir import Graph
from kerac.ir.op import snake_case
from kerac.passes.rewrite import Rule, rewrite


@dataclass(frozen=True)
class Pass:
    """A step of the compiler that keeps what a graph means; its fields are its options.

    Most passes are their `rules`; others override `apply`.
    """

    rules: ClassVar[tuple[Rule, ...]] = ()

    @property
    def name(self) -> str:
        """The class's name as a verb phrase, such as `fuse_activation`; also the module's name."""
        return snake_case(type(self).__name__)

    def chosen_rules(self) -> tuple[Rule, ...]:
        """The rules that the options leave."""
        return self.rules

    def apply(self, graph: Graph, changes: Counter[str]) -> Graph:
        """The new graph; adds to `changes` how often what happened. The old graph stays."""
        return rewrite(graph, self.chosen_rules(), self.name, changes)

    def __call__(self, graph: Graph) -> Graph:
        """The new graph."""
        return self.apply(graph, Counter())
