"""What a run of the compiler did, pass by pass; whoever shows passes reads it here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kerac.ir import Graph
from kerac.ir.ops import Constant, Input, Parameter


@dataclass(frozen=True)
class PassRecord:
    """One pass: the graph before and after it, its time, and how often each rule applied."""

    name: str
    before: Graph
    after: Graph
    seconds: float
    changes: Mapping[str, int]
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether the pass did anything."""
        return self.after is not self.before

    @property
    def values_before(self) -> int:
        """Number of computed values before the pass."""
        return computed_values(self.before)

    @property
    def values_after(self) -> int:
        """Number of computed values after the pass."""
        return computed_values(self.after)

    @property
    def description(self) -> str:
        """What changed, in words: `fuse_bias 3, fuse_relu 1`."""
        return ", ".join(f"{rule} {count}" for rule, count in self.changes.items())


@dataclass(frozen=True)
class Trace:
    """All passes over one graph in order; a backend adds in `plans` what it makes of the result."""

    source: Graph
    records: tuple[PassRecord, ...] = ()
    plans: dict[str, Any] = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        """The graph after all passes."""
        return self.records[-1].after if self.records else self.source

    @property
    def seconds(self) -> float:
        """Time of all passes."""
        return sum(record.seconds for record in self.records)

    @property
    def changes(self) -> dict[str, int]:
        """How often each rule applied, in all passes."""
        total: dict[str, int] = {}
        for record in self.records:
            for rule, count in record.changes.items():
                total[rule] = total.get(rule, 0) + count
        return total

    def __getitem__(self, name: str) -> PassRecord:
        """The first record of the pass called `name`."""
        for record in self.records:
            if record.name == name:
                return record
        raise KeyError(
            f"no pass {name} ran; those that did are {', '.join(r.name for r in self.records)}"
        )


def computed_values(graph: Graph) -> int:
    """Number of values that are not inputs, parameters or constants."""
    return sum(not isinstance(value.op, Input | Parameter | Constant) for value in graph.values)
