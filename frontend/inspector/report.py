"""What a run of the pipeline did, as plain data: for `--json`, for tables and for the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import getdoc
from typing import TYPE_CHECKING, Any, cast

from kerac.inspector.differences import Difference, Listing
from kerac.inspector.picture import picture
from kerac.ir import Graph, TensorType, type_text
from kerac.ir.ops.constant import Call, Constant, Input, Parameter

if TYPE_CHECKING:
    from kerac.passes.trace import Trace


@dataclass(frozen=True)
class Stage:
    """One pass: the graph before and after, how long it took, how often each rule applied."""

    name: str
    purpose: str
    seconds: float
    rules: Mapping[str, int]
    options: Mapping[str, object]
    before: Listing
    after: Listing

    @cached_property
    def difference(self) -> Difference:
        """What the pass changed."""
        return Difference(self.before, self.after)

    @property
    def values_before(self) -> int:
        """Number of computed values before the pass, those of called graphs included."""
        return count_values(self.before.graph)

    @property
    def values_after(self) -> int:
        """Number of computed values after the pass."""
        return count_values(self.after.graph)

    @property
    def rule_texts(self) -> list[str]:
        """The rules that applied, as `fuse_activation ×3`."""
        return [f"{name} ×{count}" for name, count in self.rules.items() if count]


class Report:
    """All stages of one run of the pipeline, and where the layers of the model went."""

    def __init__(self, trace: Trace, kernels: dict[str, Any] | None = None) -> None:
        """Print every graph of `trace` once; `kernels` is what `kernels_data` tells."""
        self.kernels = kernels
        self.listings = [Listing(trace.source)]
        self.stages: list[Stage] = []
        purposes = pass_purposes()
        for record in trace.records:
            before = self.listings[-1]
            if record.changed:
                self.listings.append(Listing(record.after))
            # a pass may run several times
            runs = sum(stage.name.partition(":")[0] == record.name for stage in self.stages)
            self.stages.append(
                Stage(
                    name=f"{record.name}:{runs + 1}" if runs else record.name,
                    purpose=purposes.get(record.name, ""),
                    seconds=record.seconds,
                    rules=record.changes,
                    options=record.options,
                    before=before,
                    after=self.listings[-1],
                )
            )

    @property
    def first(self) -> Listing:
        """The graph as it was traced from the model."""
        return self.listings[0]

    @property
    def last(self) -> Listing:
        """The graph after all passes."""
        return self.listings[-1]

    def named(self, name: str) -> list[Stage]:
        """The stages of the pass called `name`; `name:2` is its second run alone."""
        return [s for s in self.stages if name in (s.name, s.name.partition(":")[0])]

    @property
    def overall(self) -> Stage:
        """All passes as one."""
        rules = Counter[str]()
        for stage in self.stages:
            rules.update(stage.rules)
        seconds = sum(stage.seconds for stage in self.stages)
        purpose = "From the graph as traced from the model to the graph that is compiled."
        return Stage("all passes", purpose, seconds, rules, {}, self.first, self.last)

    def summary(self) -> dict[str, Any]:
        """Everything but the pictures, for programs."""
        return {
            "name": self.first.graph.name,
            "inputs": _signature(self.first.graph.input_names, self.first.graph.inputs),
            "outputs": _signature(self.first.graph.output_names, self.first.graph.outputs),
            "passes": [_stage_summary(stage) for stage in self.stages],
            "layers": self.layers(),
            "values": [_value_summary(self.last, value) for value in self.last.graph.values],
            "text": str(self.last.graph),
            "kernels": self.kernels,
        }

    def page_data(self) -> dict[str, Any]:
        """What the page shows."""
        number = {id(listing): i for i, listing in enumerate(self.listings)}
        graphs = [picture(listing) for listing in self.listings]

        def data(stage: Stage) -> dict[str, Any]:
            return _stage_data(stage, graphs, number[id(stage.before)], number[id(stage.after)])

        return {
            "name": self.first.graph.name,
            "inputs": _signature(self.first.graph.input_names, self.first.graph.inputs),
            "outputs": _signature(self.first.graph.output_names, self.first.graph.outputs),
            "graphs": graphs,
            "purposes": pass_purposes(),
            "overall": data(self.overall),
            "stages": [data(stage) for stage in self.stages],
            "layers": self.layers(),
            "kernels": self.kernels,
        }

    def layers(self) -> list[dict[str, Any]]:
        """For each layer the values it was traced to, and the values that compute it in the end."""
        traced, left = _by_layer(self.first), _by_layer(self.last)
        return [
            {"layer": layer, "traced": names, "final": left.get(layer, [])}
            for layer, names in traced.items()
        ]


def pass_purposes() -> dict[str, str]:
    """What each pass is for, and each of its rules: the first lines of their docstrings."""
    from kerac.passes.pipeline import PASSES

    named: list[tuple[str, object]] = [(step.name, type(step)) for step in PASSES]
    named += [(rule.__name__, rule) for step in PASSES for rule in step.rules]
    return {name: (getdoc(thing) or "").partition("\n")[0] for name, thing in named}


def count_values(graph: Graph) -> int:
    """The number of values that a graph computes; a call stands for those of the graph it calls."""
    return sum(
        count_values(value.op.graph) if isinstance(value.op, Call) else 1
        for value in graph.values
        if not isinstance(value.op, Input | Constant | Parameter)
    )


def weight_counts(graph: Graph) -> tuple[int, int]:
    """Numbers and bytes of the weights of a graph and of the graphs it calls, each weight once."""
    found: dict[int, TensorType] = {}
    graphs = [graph]
    while graphs:
        for value in graphs.pop().values:
            if isinstance(value.op, Constant | Parameter):
                found[id(value.op.data)] = value.op.data.type
            elif isinstance(value.op, Call):
                graphs.append(value.op.graph)
    # the shape of a weight holds no symbols
    sizes = [(cast(int, type_.size), type_.numpy_dtype.itemsize) for type_ in found.values()]
    return sum(count for count, _ in sizes), sum(count * size for count, size in sizes)


def _by_layer(listing: Listing) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for value in _all_values(listing.graph):
        for layer in value.origin.layers:
            names = found.setdefault(layer, [])
            # a weight is no step of the computation
            if not isinstance(value.op, Constant | Parameter):
                names.append(listing.names.get(value, value.name))
    return found


def _all_values(graph: Graph) -> list[Any]:
    """The values of a graph, each call followed by the values that it stands for."""
    values = []
    for value in graph.values:
        values.append(value)
        if isinstance(value.op, Call):
            values += _all_values(value.op.graph)
    return values


def _signature(names: tuple[str, ...], values: tuple[Any, ...]) -> list[dict[str, str]]:
    return [{"name": n, "type": type_text(v.type)} for n, v in zip(names, values, strict=True)]


def _stage_summary(stage: Stage) -> dict[str, Any]:
    difference = stage.difference
    return {
        "name": stage.name,
        "purpose": stage.purpose,
        "milliseconds": round(stage.seconds * 1e3, 3),
        "values_before": stage.values_before,
        "values_after": stage.values_after,
        "rules": dict(stage.rules),
        "options": {name: str(value) for name, value in stage.options.items()},
        "removed": difference.computed(difference.removed),
        "added": difference.computed(difference.added),
        "changed": difference.computed(difference.changed),
        "unchanged": difference.is_empty,
    }


def _value_summary(listing: Listing, value: Any) -> dict[str, Any]:
    return {
        "name": listing.names[value],
        "op": value.op.text_name,
        "type": type_text(value.type),
        "operands": [listing.names[operand] for operand in value.operands],
        "layers": list(value.origin.layers),
        "passes": list(value.origin.passes),
    }


def _stage_data(
    stage: Stage, graphs: list[dict[str, Any]], before: int, after: int
) -> dict[str, Any]:
    difference = stage.difference
    return _stage_summary(stage) | {
        "before": before,
        "after": after,
        # one letter a box
        "marks_before": "".join(
            difference.status_before(b["name"]) for b in graphs[before]["boxes"]
        ),
        "marks_after": "".join(difference.status_after(b["name"]) for b in graphs[after]["boxes"]),
        "blocks": [[int(same), *ends] for same, *ends in difference.blocks],
    }
