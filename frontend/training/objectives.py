"""What a compiled model makes small: a loss for each output, and their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kerac.initializers import Zeros
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.tracing import current_trace, traced, update
from kerac.training.step import Parts, Results, total
from kerac.variable import Variable


class RunningMean:
    """The mean of a number over all samples since the last reset, as a part of steps."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.total, self.count = (
            Variable(Zeros(), (), trainable=False, name=part, path=f"{name}/{part}")
            for part in ("total", "count")
        )
        self.variables = [self.total, self.count]

    def update(self, value: Value, samples: Value) -> Value:
        """Count a batch; returns the mean."""
        summed = ops.add(traced(self.total), ops.multiply(value, samples))
        count = ops.add(traced(self.count), samples)
        update(self.total, summed)
        update(self.count, count)
        return ops.divide(summed, count)

    def reset_state(self) -> None:
        """Forget all batches."""
        for variable in self.variables:
            variable.assign(0.0)


@dataclass(frozen=True)
class Objective:
    """The loss of one output."""

    output: int
    name: str
    loss: Any
    weight: float | None


class Objectives:
    """The losses of all outputs and the means that `fit` records of them."""

    def __init__(self, output_names: list[str], loss: Any, loss_weights: Any) -> None:
        losses = per_output(loss, output_names, "loss")
        weights = per_output(loss_weights, output_names, "loss_weights")
        self.objectives = [
            Objective(place, name, loss_of(one), None if weight is None else float(weight))
            for place, (name, one, weight) in enumerate(
                zip(output_names, losses, weights, strict=True)
            )
            if one is not None
        ]
        self.mean = RunningMean("loss")
        self.means: dict[str, RunningMean] = {}
        if len(self.objectives) > 1:
            self.means = {x.name: RunningMean(f"{x.name}_loss") for x in self.objectives}

    def loss(self, parts: Parts) -> tuple[Value, Results]:
        """The sum of the weighted losses, and the mean of each where there are several."""
        masks, samples = current_trace().masks, batch_size(parts)
        summed: Value | None = None
        means: dict[str, Value] = {}
        for each in self.objectives:
            truth, output = parts.y[each.output], parts.outputs[each.output]
            if truth is None:
                raise CompileError(f"output {each.name!r} has a loss, but y has no labels for it")
            value = self._value(each, truth, output, parts.weights[each.output], masks.get(output))
            if each.name in self.means:
                means[f"{each.name}_loss"] = self.means[each.name].update(value, samples)
            if each.weight is not None:
                value = ops.multiply(value, each.weight)
            summed = value if summed is None else ops.add(summed, value)
        return ops.constant(0.0, "f32") if summed is None else summed, means

    def _value(
        self, each: Objective, truth: Value, output: Value, weight: Any, mask: Any
    ) -> Value:
        try:
            value: Value = each.loss(truth, output, weight, mask)
        except CompileError as error:
            details = (f"labels: {truth.type}", f"output: {output.type}")
            raise error.with_details(*details, thing=f"output {each.name!r}") from None
        return total(value)

    @property
    def records(self) -> list[str]:
        """Names of the records of single losses."""
        return [mean.name for mean in self.means.values()]

    @property
    def all_means(self) -> list[RunningMean]:
        """The means of the whole loss and of those of outputs."""
        return [self.mean, *self.means.values()]

    def reset_state(self) -> None:
        """Forget all batches."""
        for mean in self.all_means:
            mean.reset_state()


def batch_size(parts: Parts) -> Value:
    """The number of samples of the batch, f32."""
    return ops.Length(parts.x[0].shape[0])()


def loss_of(given: Any) -> Any:
    """A loss object for a name, a function or an object."""
    from kerac import losses

    found = losses.get(given)
    if isinstance(found, losses.Loss):
        return found
    name = given if isinstance(given, str) else getattr(found, "__name__", "loss")
    return losses.LossFunctionWrapper(found, name=name)


def per_output(given: Any, names: list[str], what: str) -> list[Any]:
    """What a user gave for outputs, one entry for each of them.

    One entry alone is for all outputs, a list is in the order of outputs, a dictionary by names.
    """
    if isinstance(given, Mapping) and "class_name" not in given:
        unknown = [name for name in given if name not in names]
        if unknown:
            raise CompileError(
                f"{what} names the output {unknown[0]!r}, but the model has {', '.join(names)}"
            )
        return [given.get(name) for name in names]
    if isinstance(given, list | tuple):
        if len(given) != len(names):
            raise CompileError(
                f"{what} has {len(given)} entries, but the model has {len(names)} outputs "
                f"({', '.join(names)})"
            )
        return list(given)
    return [given] * len(names)
