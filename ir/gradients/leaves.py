"""Gradients of calls, of ops that only act in training, and why leaves have none."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.ir import ops as o
from kerac.ir.dims import DimLike
from kerac.ir.gradients.registry import WITHOUT_GRADIENT, Applied, Cotangents, gradient_of
from kerac.ir.gradients.reverse import reverse
from kerac.ir.graph import Graph, Value
from kerac.ir.ops.constant import bind_symbols

WITHOUT_GRADIENT |= {
    o.Input: "has no operands",
    o.Constant: "has no operands",
    o.Parameter: "has no operands",
    o.Length: "has no operands",
    o.RandomUniform: "depends on an integer key",
    o.RandomNormal: "depends on an integer key",
    o.Iota: "has no operands",
    o.Item: "its cotangent is a part of that of all results",
    o.StopGradient: "nothing flows back through it",
}


@gradient_of(o.StopGradient)
def stop_gradient(at: Applied) -> Cotangents:
    """None."""
    return ()


@gradient_of(o.Dropout)
def dropout(at: Applied) -> Cotangents:
    """The identity in inference; layers state what it does in training by random numbers."""
    return (at.cotangent,)


@gradient_of(o.Call)
def call(at: Applied) -> Cotangents:
    """Through the values of the called graph, computed once more; equal ones are merged later."""
    operands = at.result.operands
    # a value that stands at several places gets all of its cotangent at the first of them
    single = list(dict.fromkeys(operands))
    cotangents = at.cotangent if isinstance(at.cotangent, tuple) else (at.cotangent,)
    results = reverse(copied(at.op.graph, operands), cotangents, single)
    found = dict(zip(single, results, strict=True))
    return tuple(found.pop(operand, None) for operand in operands)


def copied(graph: Graph, operands: Sequence[Value]) -> tuple[Value, ...]:
    """The outputs of `graph` on `operands`."""
    bound: dict[str, DimLike] = {}
    for wanted, given in zip(graph.inputs, operands, strict=True):
        bind_symbols(wanted.tensor_type, given.tensor_type, bound)
    new = dict(zip(graph.inputs, operands, strict=True))
    for value in graph.values:
        if value not in new:
            inputs = tuple(None if v is None else new[v] for v in value.inputs)
            new[value] = value.op.substitute(bound)(*inputs, name=value.name, origin=value.origin)
    return tuple(new[value] for value in graph.outputs)
