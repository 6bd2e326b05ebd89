"""Calls of nested graphs replaced by what they compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kerac.ir import DimLike, Graph, Value
from kerac.ir.ops.constant import Call, Item, bind_symbols


def inline_calls(graph: Graph) -> Graph:
    """The graph without `Call`; itself where there is none."""
    if not any(isinstance(value.op, Call) for value in graph.values):
        return graph
    return graph.with_outputs(_copy(graph, graph.inputs, {}))


def _copy(graph: Graph, operands: Sequence[Value], bound: Mapping[str, DimLike]) -> list[Value]:
    """The outputs of `graph` on `operands` outside of it, where its symbols mean `bound`."""
    copies: dict[Value, Value] = dict(zip(graph.inputs, operands, strict=True))
    results: dict[Value, list[Value]] = {}
    for value in graph.values:
        if value in copies:
            continue
        inputs = tuple(None if operand is None else copies[operand] for operand in value.inputs)
        match value.op:
            case Call(graph=called):
                results[value] = _call(
                    called, [operand for operand in inputs if operand is not None]
                )
                copies[value] = results[value][0]
            case Item(index=index) if value.operands[0] in results:
                copies[value] = results[value.operands[0]][index]
            case op:
                op = op.substitute(bound)
                unchanged = op is value.op and inputs == value.inputs
                copies[value] = (
                    value if unchanged else op(*inputs, name=value.name, origin=value.origin)
                )
    return [copies[output] for output in graph.outputs]


def _call(called: Graph, operands: Sequence[Value]) -> list[Value]:
    bound: dict[str, DimLike] = {}
    for wanted, given in zip(called.inputs, operands, strict=True):
        bind_symbols(wanted.tensor_type, given.tensor_type, bound)
    return _copy(called, operands, bound)
