"""One step of training or evaluation as one graph, which changes its state in place.

inputs:  x..., y..., weights of samples..., the key of random numbers; then all state
outputs: what callers read; then the new values of state
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kerac.ir import Graph, Origin, TensorType, Value, ops, origin_scope
from kerac.ir.dims import Dim
from kerac.ir.errors import CompileError
from kerac.ir.graph import unique_name
from kerac.ir.ops import graph_input
from kerac.layers.penalties import penalties_on_weights
from kerac.passes.differentiate import gradients
from kerac.structure import leaves
from kerac.tracing import (
    Trace,
    current_trace,
    need_equal,
    traced,
    tracing,
    update,
    with_equal_dims,
)
from kerac.variable import Variable

KEY = TensorType("u32", (2,))


@dataclass(frozen=True)
class Step:
    """The graph of a step, the state behind its last inputs, and what it changes of that."""

    graph: Graph
    batch: tuple[str, ...]
    """Names of the inputs that change from batch to batch."""
    state: tuple[Variable, ...]
    results: tuple[str, ...]
    """Names of the first outputs."""
    changed: tuple[Variable, ...]
    """The variables whose new values are the outputs behind the results."""


class DependentLengthError(CompileError):
    """A free length of an output is not one of the input, so that labels cannot have it."""


@dataclass
class Parts:
    """The values of a batch in the graph in the making."""

    x: list[Value]
    y: list[Value | None]
    weights: list[Value | None]
    outputs: list[Value] = field(default_factory=list)


Results = Mapping[str, Value]
Scores = Callable[[Parts], tuple[Value, Results]]
"""From a batch and the model's outputs to the loss, and to what callers read."""
Record = Callable[[Value, Parts], Value]
"""What callers read of the loss with all penalties."""


def make_step(
    model: Any,
    types: tuple[Mapping[str, TensorType], Mapping[str, TensorType | None], Mapping[str, Any]],
    scores: Scores,
    record: Record,
    optimizer: Any = None,
) -> Step:
    """The step for batches of these types: x, y and weights by names; with an optimizer it trains.

    `scores` and `record` may read and `update` variables of their own, such as sums of metrics.
    """
    every = {
        f"{part} {name}": type_
        for part, given in enumerate(types)
        for name, type_ in given.items()
        if type_ is not None
    }

    def attempt(known: dict[str, TensorType]) -> Step:
        maker = _Maker(model, optimizer)
        x, *others = (
            {name: known.get(f"{part} {name}") for name in given}
            for part, given in enumerate(types)
        )
        return maker.make(x, tuple(others), (scores, record))

    return with_equal_dims(attempt, every)


def make_forward(model: Any, types: Mapping[str, TensorType]) -> Step:
    """The outputs of a model for batches of these types; its weights are state."""

    def attempt(known: dict[str, TensorType]) -> Step:
        trace = Trace(f"{model.name}_forward", as_inputs=True)
        inputs = {name: graph_input(name, type_) for name, type_ in known.items()}
        with tracing(trace), origin_scope(Origin()):
            outputs = leaves(model.functional().run(list(inputs.values())))
        names = tuple(model.functional().output_names)
        every = (*inputs.values(), *trace.parameters.values())
        graph = Graph(trace.name, every, tuple(outputs), names)
        return Step(graph, tuple(inputs), tuple(trace.parameters), names, ())

    return with_equal_dims(attempt, types)


class _Maker:
    """A step in the making."""

    def __init__(self, model: Any, optimizer: Any) -> None:
        self.model = model
        self.optimizer = optimizer
        is_training = optimizer is not None
        name = f"{model.name}_{'train' if is_training else 'test'}"
        self.trace = Trace(name, training=is_training, as_inputs=True)
        self.inputs: dict[str, Value] = {}

    def make(
        self,
        x_types: Mapping[str, TensorType | None],
        other_types: tuple[Mapping[str, TensorType | None], ...],
        functions: tuple[Scores, Record],
    ) -> Step:
        """The step."""
        # the names of inputs are taken before those of weights
        x = self._inputs(x_types, "")
        y, weights = (
            self._inputs(types, suffix)
            for types, suffix in zip(other_types, ("_true", "_weight"), strict=True)
        )
        if self.trace.training:
            name = unique_name("key", self.inputs)
            self.inputs[name] = self.trace.key = graph_input(name, KEY)
        parts = Parts([v for v in x if v is not None], y, weights)
        with tracing(self.trace), origin_scope(Origin()):
            results = self._state_step(parts, *functions)
        return self._finished(results)

    def _inputs(self, types: Mapping[str, TensorType | None], suffix: str) -> list[Value | None]:
        found: list[Value | None] = []
        for name, type_ in types.items():
            if type_ is None:
                found.append(None)
                continue
            name = unique_name(f"{name}{suffix}", self.inputs)
            self.inputs[name] = graph_input(name, type_)
            found.append(self.inputs[name])
        return found

    def _state_step(self, parts: Parts, scores: Scores, record: Record) -> Results:
        trainable = self.model.trainable_weights if self.optimizer else []
        values = [traced(variable) for variable in trainable]
        parts.outputs = leaves(self.model.functional().run(parts.x))
        for given in (parts.y, parts.weights):
            fit_lengths(given, parts.outputs)
        loss, results = scores(parts)
        if not self.model.has_own_loss:
            loss = with_penalties(loss, self.model)
        if self.optimizer is not None:
            self._optimize(loss, trainable, values)
        return {"loss": record(loss, parts), **results}

    def _optimize(self, loss: Value, trainable: Sequence[Variable], values: list[Value]) -> None:
        state = [traced(variable) for variable in self.optimizer.variables]
        found = gradients(self.optimizer.scale_loss(loss, state), values)
        new_weights, new_state = self.optimizer.update(found, values, state)
        old = (*values, *state)
        variables = (*trainable, *self.optimizer.variables)
        for variable, before, after in zip(
            variables, old, (*new_weights, *new_state), strict=True
        ):
            if after is not before:
                update(variable, after)

    def _finished(self, results: Results) -> Step:
        state = self.trace.parameters
        changed = {v: x for v, x in self.trace.updates.items() if v in state}
        places = {variable: len(self.inputs) + i for i, variable in enumerate(state)}
        graph = Graph(
            self.trace.name,
            (*self.inputs.values(), *state.values()),
            (*results.values(), *changed.values()),
            updates=tuple(
                (places[variable], len(results) + i) for i, variable in enumerate(changed)
            ),
        )
        return Step(graph, tuple(self.inputs), tuple(state), tuple(results), tuple(changed))


def fit_lengths(given: Sequence[Value | None], outputs: Sequence[Value]) -> None:
    """Make the free lengths of labels or weights those of their outputs."""
    for x, output in zip(given, outputs, strict=True):
        if x is not None:
            for mine, other in list(zip(x.shape, output.shape, strict=False))[1:]:
                if not isinstance(mine, Dim):
                    continue
                if isinstance(other, Dim) and str(other) not in other.symbols:
                    raise DependentLengthError(f"a length of an output is {other}")
                need_equal(other, mine, "lengths of outputs and labels")


def with_penalties(loss: Value, model: Any) -> Value:
    """The loss and what layers and weights add to it."""
    for penalty in (*current_trace().losses, *penalties_on_weights(model)):
        loss = ops.add(loss, total(penalty))
    return loss


def total(x: Value) -> Value:
    """The sum of all elements."""
    return ops.reduce_sum(x, tuple(range(x.ndim))) if x.ndim else x
