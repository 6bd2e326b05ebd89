"""What is known while layers state what they compute: masks, weights in the graph, their path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from kerac.ir import Graph, Origin, Value, ops, origin_scope
from kerac.ir.dims import Dim, DimLike, substitute, symbol, symbols_of
from kerac.ir.errors import InternalError, ShapeError
from kerac.ir.graph import no_truth, unique_name
from kerac.ir.op import identifier
from kerac.ir.ops import Parameter, graph_input
from kerac.ir.types import TensorType
from kerac.structure import leaves
from kerac.variable import Variable

Result = TypeVar("Result")


class DimsDifferError(ShapeError):
    """Two lengths must be equal, and at least one of them is not known."""

    dims: tuple[DimLike, DimLike] = (0, 0)

    def with_details(self, *details: str, thing: str | None = None) -> DimsDifferError:
        """Keep the lengths."""
        error = super().with_details(*details, thing=thing)
        assert isinstance(error, DimsDifferError)  # noqa: S101
        error.dims = self.dims
        return error


@dataclass
class Trace:
    """One graph in the making."""

    name: str = ""
    with_weights: bool = True
    """Whether weights are read, and not only their shapes."""
    training: bool = False
    """Whether layers act as in training."""
    as_inputs: bool = False
    """Whether weights are inputs of the graph. Models inside a model are traced in place then, so
    that all updates and losses lie in one graph."""
    key: Value | None = None
    """Where random numbers come from, u32[2]; without it nothing is random."""
    updates: dict[Variable, Value] = field(default_factory=dict)
    """New values of weights that a layer changes itself, as moving averages."""
    losses: list[Value] = field(default_factory=list)
    """Penalties that layers add, f32[...]; their sums add to the loss."""
    streams: int = 0
    """Number of sources of random numbers so far."""
    masks: dict[Value, Value] = field(default_factory=dict)
    parameters: dict[Variable, Value] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    compute: str | None = None
    """The dtype that the layer computes in; None where none is called."""
    autocast: str | None = None
    """The dtype in which a layer of a mixed policy reads its weights."""
    # Shared by a graph and those it calls:
    names: dict[str, Variable] = field(default_factory=dict)
    calls: dict[Any, Any] = field(default_factory=dict)

    def inner(self, name: str) -> Trace:
        """The trace of a graph that this one calls."""
        return Trace(name, self.with_weights, path=self.path, names=self.names, calls=self.calls)

    @property
    def in_place(self) -> bool:
        """Whether models inside a model are no calls of graphs of their own."""
        return self.training or self.as_inputs


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current_trace() -> Trace:
    """The graph in the making."""
    trace = _current.get()
    if trace is None:
        raise InternalError("a layer states what it computes, but no graph is being made")
    return trace


def is_tracing() -> bool:
    """Whether a graph is being made."""
    return _current.get() is not None


@contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Make `trace` the current one in the block."""
    token = _current.set(trace)
    try:
        with no_truth():
            yield trace
    finally:
        _current.reset(token)


@contextmanager
def inside(trace: Trace, name: str) -> Iterator[str]:
    """Add a layer to the path of what is made in the block; yields the path."""
    before = trace.path
    trace.path = (*before, name)
    path = "/".join(trace.path)
    try:
        with origin_scope(Origin((path,))):
            yield path
    finally:
        trace.path = before


@overload
def traced(variable: Variable) -> Value: ...
@overload
def traced(variable: None) -> None: ...
def traced(variable: Variable | None) -> Value | None:
    """A weight in the graph in the making; None stays None."""
    if variable is None:
        return None
    trace = current_trace()
    value = trace.updates.get(variable)
    if value is None:
        if variable not in trace.parameters:
            trace.parameters[variable] = _parameter(variable, trace)
        value = trace.parameters[variable]
    if trace.autocast and variable.autocast and value.tensor_type.is_float:
        return ops.cast(value, trace.autocast)
    return value


def _parameter(variable: Variable, trace: Trace) -> Value:
    name = variable.path
    while trace.names.setdefault(name, variable) is not variable:
        name = unique_name(name, trace.names)
    if trace.as_inputs:
        return graph_input(_input_name(name, trace), variable.type)
    data = variable.data(read=trace.with_weights)
    return Parameter(name, data)(name="_".join(name.split("/")[-2:]))


def _input_name(path: str, trace: Trace) -> str:
    """A name for the input that holds a weight, unlike those of others."""
    return unique_name(identifier(path), {x.name: None for x in trace.parameters.values()})


def update(variable: Variable, value: Value) -> None:
    """Say what a weight is after the step; what reads it from now on reads the new value."""
    current_trace().updates[variable] = ops.cast(value, variable.type.dtype)


@contextmanager
def computing(compute: str | None, is_mixed: bool, autocast: bool) -> Iterator[None]:
    """Let a layer compute in a dtype in the block, and read its weights in it where that differs.

    A layer of another policy inside one of a mixed policy reads its weights in its own dtype.
    """
    trace = current_trace()
    before = trace.compute, trace.autocast
    trace.compute = compute
    if is_mixed or trace.autocast is not None:
        trace.autocast = compute if autocast or trace.autocast is None else None
    try:
        yield
    finally:
        trace.compute, trace.autocast = before


@contextmanager
def training_mode(training: bool | None) -> Iterator[bool]:
    """Let layers act as in training in the block, or not; None leaves it as it is around.

    What acts as in training needs random numbers, so a graph without them stays as it is.
    """
    trace = current_trace()
    before = trace.training
    if training is not None:
        trace.training = bool(training) and (before or trace.key is not None)
    try:
        yield trace.training
    finally:
        trace.training = before


def symbolic_types(types: Sequence[TensorType]) -> list[TensorType]:
    """The same types with a symbol of its own for every length that is not an integer."""
    taken: dict[str, None] = {}
    batch = symbol("N")
    found = []
    for type_ in types:
        shape: list[DimLike] = []
        for axis, dim in enumerate(type_.shape):
            if isinstance(dim, int):
                shape.append(dim)
            elif axis == 0:
                shape.append(batch)
            else:
                name = unique_name(axis_symbol(axis, type_.ndim), taken)
                taken[name] = None
                shape.append(symbol(name))
        found.append(type_.with_shape(tuple(shape)))
    return found


def axis_symbol(axis: int, ndim: int) -> str:
    """The usual letter of an axis: `N T`, `N T C`, `N H W C`, `N D H W C`."""
    letters = {2: "NT", 3: "NTC", 4: "NHWC", 5: "NDHWC"}.get(ndim)
    return letters[axis] if letters else f"D{axis}"


@dataclass(frozen=True)
class Traced:
    """A graph, the structure of its outputs, and for each output which other one is its mask."""

    graph: Graph
    structure: Any
    masks: tuple[int | None, ...]


def trace_function(
    function: Callable[[list[Value]], Any],
    types: Mapping[str, TensorType],
    trace: Trace,
    mask_types: Mapping[str, TensorType] | None = None,
) -> Traced:
    """The graph of `function`, which maps a list of values to a structure of values.

    Where `mask_types` is given (by names of inputs), masks enter and leave as well.
    """
    inputs = {name: graph_input(name, type_) for name, type_ in types.items()}
    masks = {name: graph_input(f"{name}_mask", type_) for name, type_ in (mask_types or {}).items()}
    trace.masks.update((inputs[name], mask) for name, mask in masks.items())
    with tracing(trace), origin_scope(Origin()):
        structure = function(list(inputs.values()))
    outputs = leaves(structure)
    positions: list[int | None] = [None] * len(outputs)
    if mask_types is not None:
        for position, output in enumerate(list(outputs)):
            if output in trace.masks:
                positions[position] = len(outputs)
                outputs.append(trace.masks[output])
    graph = Graph(trace.name, (*inputs.values(), *masks.values()), tuple(outputs))
    return Traced(graph, structure, tuple(positions))


def with_equal_dims(
    make: Callable[[dict[str, TensorType]], Result], types: Mapping[str, TensorType]
) -> Result:
    """`make(types)`, tried again with lengths made equal as long as it needs that."""
    equal: dict[str, DimLike] = {}
    while True:
        try:
            return make({name: type_.substitute(equal) for name, type_ in types.items()})
        except DimsDifferError as error:
            _unite(error, equal)


def _unite(error: DimsDifferError, equal: dict[str, DimLike]) -> None:
    """Replace one of two lengths that must be equal by the other one from now on."""
    for one, other in (error.dims[::-1], error.dims):
        name = str(one)
        if isinstance(one, Dim) and name in one.symbols and name not in symbols_of(other):
            for known, dim in equal.items():
                equal[known] = substitute(dim, {name: other})
            equal[name] = other
            return
    raise ShapeError(error.fact, details=error.details, remedy=error.remedy) from None


def need_equal(one: DimLike, other: DimLike, what: str) -> None:
    """Say that two lengths must be equal; where one is not known, it becomes the other."""
    if one == other:
        return
    fact = f"{what} must be equal, but are {one} and {other}"
    if isinstance(one, int) and isinstance(other, int):
        raise ShapeError(fact)
    error = DimsDifferError(fact)
    error.dims = (one, other)
    raise error
