"""The verifier: every value has the type its op infers, and the graph reads only its own inputs."""

from __future__ import annotations

from kerac.ir.errors import CompileError, InternalError
from kerac.ir.graph import Graph, Value
from kerac.ir.ops.constant import Call, Input
from kerac.ir.types import type_text

CONTEXT = 10  # lines of IR around the value


def verify(graph: Graph, after: str = "") -> None:
    """Raise InternalError, naming the pass `after` and lines of IR, where `graph` is malformed."""
    inputs = set(graph.inputs)
    for value in graph.values:
        problem = _problem(value, inputs)
        if problem:
            blame = f" after {after}" if after else ""
            raise InternalError(f"{graph.name}{blame}: {problem}\n{excerpt(graph, value)}")
        if isinstance(value.op, Call):
            verify(value.op.graph, after)


def excerpt(graph: Graph, value: Value) -> str:
    """The lines of IR around `value`, which is marked."""
    place = graph.values.index(value)
    shown = graph.values[max(0, place - CONTEXT // 2) : place + CONTEXT // 2]
    return "\n".join(
        f"{'>' if other is value else ' '} {other!r}  # {other.origin}" for other in shown
    )


def _problem(value: Value, inputs: set[Value]) -> str | None:
    if isinstance(value.op, Input) and value not in inputs:
        return f"{value.name} is an input of another graph"
    try:
        inferred = value.op.checked_infer(value.inputs, value.origin)
    except CompileError as error:
        return str(error)
    if inferred != value.type:
        wanted = f"{value.op.text_name} infers {type_text(inferred)}"
        return f"{value.name} is {type_text(value.type)}, but {wanted}"
    return None
