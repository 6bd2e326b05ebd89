"""The graph: immutable typed values that know where they came from.

    graph   = name, inputs, outputs, output_names
    value   = op(operand, ...) : type, with a name and an origin
    operand = value | None              None: an optional operand that is absent
    type    = dtype[dim, ...] | (type, ...)
    dim     = int | Dim                 see `kerac.ir.dims`
    origin  = layer paths, pass names

A pass maps a graph to a graph and never changes one. Values no output reaches are not part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kerac.ir.arithmetic import Arithmetic
from kerac.ir.errors import CompileError, InternalError, ShapeError
from kerac.ir.types import TensorType, Type

if TYPE_CHECKING:
    import networkx

    from kerac.ir.op import Op


@dataclass(frozen=True)
class Origin:
    """Where a value came from: layers by path, as `encoder/dense_1`, and passes by name."""

    layers: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()

    def __or__(self, other: Origin) -> Origin:
        return Origin(
            tuple(dict.fromkeys((*self.layers, *other.layers))),
            tuple(dict.fromkeys((*self.passes, *other.passes))),
        )

    def __str__(self) -> str:
        text = " + ".join(self.layers)
        if self.passes:
            text += f"{', ' if text else ''}by {', '.join(self.passes)}"
        return text


NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def current_origin() -> Origin:
    """The origin that values made now receive."""
    return _origin.get()


@contextmanager
def origin_scope(origin: Origin) -> Iterator[None]:
    """Give `origin` to every value made in the block."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


_is_open: ContextVar[bool] = ContextVar("is_open", default=True)


@contextmanager
def no_truth() -> Iterator[None]:
    """No value is true or false in the block, where code of a user's own states a graph."""
    token = _is_open.set(False)
    try:
        yield
    finally:
        _is_open.reset(token)


@dataclass(frozen=True, eq=False, repr=False)
class Value(Arithmetic):
    """The result of one op, compared by identity; `merge_duplicates` unites equal ones."""

    __match_args__ = ("op", "inputs")

    op: Op
    inputs: tuple[Value | None, ...]
    type: Type
    name: str = ""
    origin: Origin = field(default_factory=current_origin)

    def __bool__(self) -> bool:
        """Elsewhere a value is true, as any object."""
        if not _is_open.get():
            raise CompileError(
                f"{self.name or self.op.text_name}: is asked whether it is true, as by `if` or "
                f"`and`, but its numbers are computed later",
                details=(f"type: {self.type}",),
                remedy="Choose between values by ops.where or ops.cond; compare with None by `is`.",
            )
        return True

    @property
    def operands(self) -> tuple[Value, ...]:
        """The inputs that are present."""
        return tuple(value for value in self.inputs if value is not None)

    @property
    def tensor_type(self) -> TensorType:
        """The type of a value that is a single tensor."""
        if isinstance(self.type, tuple):
            raise InternalError(
                f"{self.op.text_name} has {len(self.type)} results; take one with item()"
            )
        return self.type

    @property
    def shape(self) -> tuple[Any, ...]:
        """Shape of a value that is a single tensor."""
        return self.tensor_type.shape

    @property
    def dtype(self) -> str:
        """Dtype of a value that is a single tensor."""
        return self.tensor_type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes of a value that is a single tensor."""
        return len(self.shape)

    def labelled(self, name: str | None = None, origin: Origin | None = None) -> Value:
        """The same computation under another name or origin."""
        return replace(self, name=self.name if name is None else name, origin=origin or self.origin)

    def __repr__(self) -> str:
        from kerac.ir.text import value_text

        return value_text(self)


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A function from input tensors to output tensors.

    `updates` are pairs (input number, output number): that output is the new value of that input,
    and compiled code writes it in place, over the old one.
    """

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    output_names: tuple[str, ...] = ()
    updates: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.output_names:
            object.__setattr__(
                self, "output_names", _unique_names(v.name or "output" for v in self.outputs)
            )
        if len(self.output_names) != len(self.outputs):
            raise InternalError(
                f"{len(self.outputs)} outputs, but {len(self.output_names)} output names"
            )
        self._check_updates()

    def _check_updates(self) -> None:
        for numbers in zip(*self.updates, strict=True):
            if len(set(numbers)) < len(numbers):
                raise InternalError(f"{self.name}: updates {self.updates} name a tensor twice")
        for old, new in self.updates:
            if not (0 <= old < len(self.inputs) and 0 <= new < len(self.outputs)):
                raise InternalError(f"{self.name}: update {(old, new)} names no input or output")
            if self.inputs[old].type != self.outputs[new].type:
                raise ShapeError(
                    f"input {self.inputs[old].name} is {self.inputs[old].type}, "
                    f"but output {self.output_names[new]}, its new value, "
                    f"is {self.outputs[new].type}"
                )

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """All values, inputs first, operands before the values that use them."""
        order: dict[Value, None] = dict.fromkeys(self.inputs)
        for output in self.outputs:
            _visit(output, order)
        return tuple(order)

    @cached_property
    def consumers(self) -> Mapping[Value, tuple[Value, ...]]:
        """For each value its users, once for each use; the graph's outputs are not counted."""
        found: dict[Value, list[Value]] = {value: [] for value in self.values}
        for value in self.values:
            for operand in value.operands:
                found[operand].append(value)
        return {value: tuple(users) for value, users in found.items()}

    @cached_property
    def uses(self) -> Mapping[Value, int]:
        """For each value the number of its uses, those as an output of the graph included."""
        counts = {value: len(users) for value, users in self.consumers.items()}
        for output in self.outputs:
            counts[output] += 1
        return counts

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the inputs' shapes in order of their first occurrence."""
        found: dict[str, None] = {}
        for value in self.inputs:
            for dim in value.shape:
                if not isinstance(dim, int):
                    found.update(dict.fromkeys(sorted(dim.symbols)))
        return tuple(found)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(value.name for value in self.inputs)

    def with_outputs(self, outputs: Iterable[Value]) -> Graph:
        """The graph with the same signature that computes `outputs`."""
        return Graph(self.name, self.inputs, tuple(outputs), self.output_names, self.updates)

    def to_networkx(self) -> networkx.MultiDiGraph:
        """The graph in networkx: values as nodes, edges from operand to user with `position`."""
        import networkx

        graph = networkx.MultiDiGraph(name=self.name)
        for value in self.values:
            graph.add_node(
                value,
                name=value.name,
                op=value.op.text_name,
                type=str(value.type),
                origin=str(value.origin),
            )
        for value in self.values:
            for position, operand in enumerate(value.inputs):
                if operand is not None:
                    graph.add_edge(operand, value, position=position)
        return graph

    def __str__(self) -> str:
        from kerac.ir.text import print_graph

        return print_graph(self)

    __repr__ = __str__


def _visit(root: Value, order: dict[Value, None]) -> None:
    """Depth first without recursion: a graph may be deeper than Python's stack."""
    stack = [(root, iter(root.operands))]
    on_path = {root}
    while stack:
        value, operands = stack[-1]
        for operand in operands:
            if operand not in order:
                if operand in on_path:
                    raise InternalError(f"value {operand.name} depends on itself")
                stack.append((operand, iter(operand.operands)))
                on_path.add(operand)
                break
        else:
            order.setdefault(value)
            on_path.discard(value)
            stack.pop()


def _unique_names(names: Iterable[str]) -> tuple[str, ...]:
    taken: dict[str, None] = {}
    for name in names:
        taken.setdefault(unique_name(name, taken))
    return tuple(taken)


def unique_name(name: str, taken: Mapping[str, Any]) -> str:
    """`name`, or with the first suffix `_1`, `_2`, ... that is free."""
    candidate, number = name, 0
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
