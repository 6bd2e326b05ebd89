"""What a compiled model is measured by: metrics of outputs, whose sums are state of the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kerac.ir import Value
from kerac.ir.errors import CompileError
from kerac.metrics import Mean, Metric, resolve
from kerac.structure import leaves
from kerac.tracing import current_trace, traced, update
from kerac.training.objectives import per_output
from kerac.training.step import Parts, Results
from kerac.variable import Variable


@dataclass(frozen=True)
class Measure:
    """A metric of one output."""

    output: int
    name: str
    """Name of the record."""
    metric: Metric
    is_weighted: bool


class Measures:
    """The metrics of all outputs. Names of metrics become metrics when labels are first seen."""

    def __init__(self, output_names: list[str], metrics: Any, weighted_metrics: Any) -> None:
        self.output_names = output_names
        self.given = [
            (is_weighted, metrics_per_output(given, output_names, what))
            for is_weighted, given, what in (
                (False, metrics, "metrics"),
                (True, weighted_metrics, "weighted_metrics"),
            )
        ]
        self.measures: list[Measure] | None = None

    def values(self, parts: Parts) -> Results:
        """Count a batch; returns the metrics of all batches since the last reset."""
        if self.measures is None:
            self.measures = self._resolved(parts)
        for each in self.measures:
            labels = labels_of(each.output, self.output_names, parts)
            try:
                count(each, labels, parts)
            except CompileError as error:
                details = (f"labels: {labels.type}", f"output: {parts.outputs[each.output].type}")
                thing = f"output {self.output_names[each.output]!r}, metric {each.metric.name!r}"
                raise error.with_details(*details, thing=thing) from None
        # one metric may count several outputs: it is read when all have been counted
        return {
            each.name: record_of(each.metric) for each in self.measures
        }

    def reset_state(self) -> None:
        """Forget all batches."""
        for each in self.measures or ():
            each.metric.reset_state()

    @property
    def outputs(self) -> set[int]:
        """The outputs that have metrics."""
        return {place for _, given in self.given for place, each in enumerate(given) if each}

    @property
    def order(self) -> list[str]:
        """The names that metrics have without those of outputs: how results in lists begin."""
        return [each.metric.name or "" for each in self.measures or ()]

    def _resolved(self, parts: Parts) -> list[Measure]:
        found: list[Measure] = []
        for is_weighted, given in self.given:
            for output, identifiers in enumerate(given):
                for identifier in identifiers:
                    metric = self._metric(identifier, output, parts)
                    name = self._name(metric, output, is_weighted, {x.name for x in found})
                    found.append(Measure(output, name, metric, is_weighted))
        return found

    def _metric(self, identifier: Any, output: int, parts: Parts) -> Metric:
        labels = labels_of(output, self.output_names, parts).tensor_type
        predictions = parts.outputs[output].tensor_type
        try:
            metric = resolve(identifier, labels, predictions)
            if metric is None or not metric.pairs:
                raise CompileError(
                    f"{identifier!r:.60} is given as a metric, but it does not compare labels "
                    "with predictions"
                )
            metric.build(labels, predictions)
        except CompileError as error:
            thing = f"output {self.output_names[output]!r}"
            raise error.with_details(thing=thing) from None
        return metric

    def _name(self, metric: Metric, output: int, is_weighted: bool, taken: set[str]) -> str:
        """The record of a metric, as Keras names it: a second one of a name has a number."""
        prefix = f"{self.output_names[output]}_" if len(self.output_names) > 1 else ""
        name = f"{prefix}{metric.name}"
        if is_weighted and name in taken:
            name = f"{prefix}weighted_{metric.name}"
        number, candidate = 0, name
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        return candidate


def count(measure: Measure, labels: Value, parts: Parts) -> None:
    """Count a batch. Masks leave elements out of means alone, as in Keras."""
    metric, output = measure.metric, parts.outputs[measure.output]
    weights: dict[str, Value] = {}
    weight = parts.weights[measure.output] if measure.is_weighted else None
    if weight is not None:
        weights["sample_weight"] = weight
    mask = current_trace().masks.get(output)
    if mask is not None and isinstance(metric, Mean):
        weights["mask"] = mask
    if metric.is_imperative:
        metric.update_state(labels, output, **weights)
        return
    state = [traced(variable) for variable in metric.variables]
    new_state = metric.update(state, labels, output, **weights)
    for variable, new in zip(metric.variables, new_state, strict=True):
        update(variable, new)


def record_of(metric: Metric) -> Value:
    """The record of a metric after the batches so far."""
    if metric.is_imperative:
        found = metric.result()
        record: Value = found.as_value() if isinstance(found, Variable) else found
        return record
    return metric.value([traced(x) for x in metric.variables])


def labels_of(output: int, names: list[str], parts: Parts) -> Value:
    """The labels of an output, which a metric must have."""
    truth = parts.y[output]
    if truth is None:
        raise CompileError(f"output {names[output]!r} has metrics, but y has no labels for it")
    return truth


def metrics_per_output(given: Any, names: list[str], what: str) -> list[list[Any]]:
    """The metrics of each output; all that are given are those of a single output."""
    if not given:
        return [[] for _ in names]
    if len(names) == 1:
        return [leaves(given)]
    return [[] if one is None else leaves(one) for one in per_output(given, names, what)]


def checked_metrics(given: Any, what: str) -> Any:
    """What `compile` takes for metrics: a list, or a dictionary by names of outputs."""
    if given and not isinstance(given, list | tuple | Mapping):
        raise CompileError(
            f"{what} is {given!r:.60}, but a list or a dictionary is expected",
            remedy=f"Write {what}=[...].",
        )
    return given
