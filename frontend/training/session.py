"""A compiled model at work: its steps as native code, and the batches brought into their form."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerac.eager import as_array
from kerac.ir import TensorType, Value, symbol
from kerac.ir.dims import DimLike
from kerac.ir.errors import CompileError
from kerac.ir.types import dtype_name
from kerac.layers.base import Layer
from kerac.random import new_seed
from kerac.structure import leaves, pack
from kerac.tracing import current_trace
from kerac.training.arrays import Rows, joined
from kerac.training.batches import Batch, taken
from kerac.training.labels import check_classes, class_counts
from kerac.training.measures import Measures
from kerac.training.objectives import Objectives, batch_size
from kerac.training.program import Program
from kerac.training.step import (
    DependentLengthError,
    Parts,
    Results,
    Step,
    make_step,
    total,
    with_penalties,
)
from kerac.variable import Variable

Array = np.ndarray[Any, Any]


class Session:
    """What `compile` settles. Steps are made when the first batch of their form comes."""

    def __init__(
        self, model: Any, optimizer: Any, losses: tuple[Any, Any], metrics: tuple[Any, Any]
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.given_losses, self.given_metrics = losses, metrics
        self.key = np.array([new_seed() % 2**32, 0], np.uint32)
        self._objectives: Objectives | None = None
        self._measures: Measures | None = None
        self._programs: dict[Any, Program] = {}
        self._trained: tuple[int, tuple[bool, ...]] | None = None
        self._no_key = np.zeros(2, np.uint32)
        self._checked: Batch | None = None
        self._pending: Mapping[str, Array] = {}

    @property
    def objectives(self) -> Objectives:
        """The losses; known as soon as the model has outputs."""
        if self._objectives is None:
            names = self.model.functional().output_names
            self._objectives = Objectives(names, *self.given_losses)
        return self._objectives

    @property
    def measures(self) -> Measures:
        """The metrics; known as soon as the model has outputs."""
        if self._measures is None:
            names = self.model.functional().output_names
            self._measures = Measures(names, *self.given_metrics)
        return self._measures

    @property
    def is_training(self) -> bool:
        """Whether steps have been taken that change weights."""
        return any(form[0] for form in self._programs)

    def reset_metrics(self) -> None:
        """Forget the batches that records are taken over."""
        for part in (self._objectives, self._measures):
            if part is not None:
                part.reset_state()

    def sums(self) -> list[Variable]:
        """What records are taken from."""
        found = [v for mean in self.objectives.all_means for v in mean.variables]
        measures = self.measures.measures or ()
        return found + [v for measure in measures for v in measure.metric.variables]

    def restore_sums(self, values: Mapping[str, Array]) -> None:
        """Go on with these sums, by the paths of their variables; some may not exist yet."""
        self._pending = dict(values)
        self._put_sums()

    def _put_sums(self) -> None:
        if self._pending:
            known = {variable.path: variable for variable in self.sums()}
            for path in self._pending.keys() & known.keys():
                known[path].assign(self._pending[path])
            self._pending = {k: v for k, v in self._pending.items() if k not in known}

    def run(self, pieces: Sequence[Any], training: bool) -> dict[str, Array]:
        """Take a step on each piece of data; returns the records so far.

        They are in arrays that the next step overwrites. Pieces of one size are taken in one call.
        """
        first = pieces[0]
        equal = 1
        if isinstance(first, Rows):
            while equal < len(pieces) and len(pieces[equal]) == len(first):
                equal += 1
            batch, source = joined(pieces[:equal]), first.data
        else:
            batch = source = taken(first)
        results = self._take(batch, training, equal, source)
        return self.run(pieces[equal:], training) if equal < len(pieces) else results

    def _take(self, batch: Batch, training: bool, steps: int, source: Batch) -> dict[str, Array]:
        """So many steps on batches that lie one after another; `source` is all the data."""
        program, arrays = self.program(batch, training, source)
        results = program(arrays, self.key if training else self._no_key, steps)
        return dict(zip(program.step.results, results, strict=True))

    def program(
        self, batch: Batch, training: bool, source: Batch
    ) -> tuple[Program, list[Array]]:
        """The step for batches of this form, made if it is the first, and the batch as it reads it.

        Labels of `source`, which the batch is a part of, are checked once.
        """
        if not self.model.built:
            self.model._build_on(batch.x)
        x = self.model._arrays(batch.x)
        y, weights = self._labels(batch, len(x[0]))
        forms = tuple(_form(array) for array in (*x, *y, *weights))
        form = (training, forms, self._frozen())
        program = self._programs.get(form)
        if program is None:
            program = self._programs[form] = self._compile(x, y, weights, training)
        if source is not self._checked:
            self._check_classes(y if source is batch else self._spread(source)[0])
            self._checked = source if source is not batch else None
        return program, [*x, *(array for array in (*y, *weights) if array is not None)]

    def as_list(self, logs: Mapping[str, float]) -> Any:
        """The only record, or a list of all in Keras's order.

        The loss is first; the records of metrics that are called as their metrics are, losses of
        outputs, and the rest by name follow.
        """
        order = ["loss", *self.measures.order, *self.objectives.records, *sorted(logs)]
        values = [logs[name] for name in dict.fromkeys(order) if name in logs]
        return values[0] if len(values) == 1 else values

    def _frozen(self) -> Any:
        """What a step depends on besides the form of batches: which layers are trained."""
        count = Layer.times_trainable_was_set
        if self._trained is None or self._trained[0] != count:
            self._trained = count, tuple(layer.trainable for layer in self.model.walk())
        return self._trained[1]

    def _compile(
        self, x: list[Array], y: list[Array | None], weights: list[Array | None], training: bool
    ) -> Program:
        """A program, if possible the same for all batches that differ in free lengths alone."""
        shapes = [output.shape for output in self.model.functional().outputs]
        try:
            return self._program(_types(y, shapes), _types(weights, shapes), training, {})
        except DependentLengthError:
            return self._program(_types(y), _types(weights), training, self._lengths(x))

    def _program(self, y: Types, weights: Types, training: bool, dims: dict[str, int]) -> Program:
        form = (training, y, weights, tuple(dims.items()), self._frozen())
        if form not in self._programs:
            self._programs[form] = Program(self.step(y, weights, training, dims))
            self._put_sums()
        return self._programs[form]

    def _lengths(self, x: list[Array]) -> dict[str, int]:
        """The free lengths of inputs, but the number of samples, by their symbols."""
        types = self.model.functional().input_types().values()
        return {
            str(dim): int(length)
            for type_, array in zip(types, x, strict=True)
            for dim, length in list(zip(type_.shape, array.shape, strict=True))[1:]
            if not isinstance(dim, int)
        }

    def step(
        self,
        y: Sequence[TensorType | None],
        weights: Sequence[TensorType | None],
        training: bool,
        dims: Mapping[str, int] | None = None,
    ) -> Step:
        """The step for labels and weights of these types, one for each output; `dims` are fixed."""
        model = self.model.functional()
        optimizer = self.optimizer if training else None
        if optimizer is not None:
            optimizer.build(self.model.trainable_weights)
        names = model.output_names
        x = {name: type_.substitute(dims or {}) for name, type_ in model.input_types().items()}
        types = (x, dict(zip(names, y, strict=True)), dict(zip(names, weights, strict=True)))
        return make_step(self.model, types, self._scores, self._record, optimizer)

    def _scores(self, parts: Parts) -> tuple[Value, Results]:
        if self.model.has_own_loss:
            loss, results = self._own_loss(parts)
        else:
            loss, results = self.objectives.loss(parts)
        return loss, {**results, **self.measures.values(parts)}

    def _own_loss(self, parts: Parts) -> tuple[Value, Results]:
        """What the model's class says in `compute_loss`, and records of what it takes of ours."""
        model = self.model.functional()
        names = inspect.signature(self.model.compute_loss).parameters
        given = {"training": current_trace().training} if "training" in names else {}
        self._results: Results = {}
        loss = self.model.compute_loss(
            x=pack(model.input, list(parts.x)),
            y=_labels_like(model.output, parts.y),
            y_pred=pack(model.output, list(parts.outputs)),
            sample_weight=_labels_like(model.output, parts.weights),
            **given,
        )
        if not isinstance(loss, Value):
            raise CompileError(
                f"{self.model.name}: compute_loss returned {loss!r:.60}, but a tensor is expected"
            )
        return total(loss), self._results

    def compiled_loss(self, parts: Parts) -> Value:
        """The losses given to `compile`, with all penalties, inside `compute_loss`."""
        loss, self._results = self.objectives.loss(parts)
        return with_penalties(loss, self.model)

    def _record(self, loss: Value, parts: Parts) -> Value:
        return self.objectives.mean.update(loss, batch_size(parts))

    def _check_classes(self, y: Sequence[Array | None]) -> None:
        """Refuse labels that number no class."""
        model = self.model.functional()
        losses = {each.output: each.loss for each in self.objectives.objectives}
        measures = self.measures.measures or ()
        for place, (name, labels) in enumerate(zip(model.output_names, y, strict=True)):
            if labels is not None:
                metrics = [each.metric for each in measures if each.output == place]
                shape = model.outputs[place].shape
                for row in class_counts(name, losses.get(place), metrics, shape):
                    thing, classes, ignored = row
                    check_classes(labels, classes, ignored, thing)

    def _spread(self, batch: Batch) -> tuple[list[Array | None], list[Array | None]]:
        names = self.model.functional().output_names
        weights = spread(batch.sample_weight, names, "sample_weight", repeat=True)
        return spread(batch.y, names, "y"), weights

    def _labels(
        self, batch: Batch, samples: int
    ) -> tuple[list[Array | None], list[Array | None]]:
        """Labels and weights for each output."""
        names = self.model.functional().output_names
        y, weights = self._spread(batch)
        for what, arrays in (("y", y), ("sample_weight", weights)):
            for name, array in zip(names, arrays, strict=True):
                if array is not None and len(array) != samples:
                    raise CompileError(
                        f"{what} of output {name!r} has {len(array)} samples, but x has {samples}"
                    )
        return y, weights


def _labels_like(structure: Any, values: Sequence[Value | None]) -> Any:
    """Labels or weights as `fit` was given them: in the structure of the outputs, or None."""
    return None if all(x is None for x in values) else pack(structure, list(values))


def spread(given: Any, names: list[str], what: str, repeat: bool = False) -> list[Array | None]:
    """Arrays for each output, from one, a list or a dictionary by names of outputs."""
    if isinstance(given, dict):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise CompileError(
                f"{what} names the output {unknown[0]!r}, but the model has {', '.join(names)}"
            )
        flat = [given.get(name) for name in names]
    else:
        flat = [None] * len(names) if given is None else leaves(given)
    if len(flat) == 1 and repeat:
        flat *= len(names)
    if len(flat) != len(names):
        raise CompileError(
            f"{what} has {len(flat)} arrays, but the model has {len(names)} outputs "
            f"({', '.join(names)})"
        )
    return [None if array is None else label_array(array) for array in flat]


def label_array(array: Any) -> Array:
    """Labels or weights as steps read them: dense, with 32 bits for 64, bool as numbers."""
    found = as_array(array)
    if found.dtype == bool:
        found = found.astype(np.float32)
    return np.ascontiguousarray(found)


def _form(array: Array | None) -> Any:
    return None if array is None else (array.shape[1:], array.dtype)


Types = tuple[TensorType | None, ...]


def _types(arrays: Sequence[Array | None], outputs: Sequence[Any] = ()) -> Types:
    """The types of labels or weights; lengths that are free in outputs are free in them."""
    shapes = outputs or [()] * len(arrays)
    return tuple(
        _type(array, shape, place)
        for place, (array, shape) in enumerate(zip(arrays, shapes, strict=True))
    )


def _type(
    array: Array | None, output: Sequence[int | None], place: int
) -> TensorType | None:
    if array is None:
        return None
    shape: list[DimLike] = [symbol("N"), *array.shape[1:]]
    for axis, length in enumerate(output[: len(shape)]):
        if axis and length is None and shape[axis] != 1:
            shape[axis] = symbol(f"L{place}_{axis}")
    return TensorType(dtype_name(array.dtype.name), tuple(shape))
