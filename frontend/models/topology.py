"""The calls that lead from inputs to outputs of a functional model, and Keras's order of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerac.ir.errors import CompileError
from kerac.layers.base import Layer
from kerac.layers.input import InputLayer
from kerac.structure import leaves, map_structure, pack
from kerac.tensor import KerasTensor, Node


@dataclass(frozen=True)
class Topology:
    """Calls in an order in which they can be made, and layers and operations as Keras has them."""

    nodes: tuple[Node, ...]
    layers: tuple[Layer, ...]


def find_topology(
    inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor], model: str
) -> Topology:
    """Walk from outputs back to inputs; everything on the way must come from the inputs."""
    nodes, order = _visit(inputs, outputs)
    for tensor in inputs:
        if tensor.node not in nodes:
            nodes.insert(0, tensor.node)
            order.setdefault(tensor.node.layer, -1)
    depths = _depths(nodes)
    layers = sorted(depths, key=lambda layer: (-depths[layer], order[layer]))
    _check_connected(inputs, nodes, model)
    _check_names(layers, model)
    return Topology(tuple(nodes), tuple(layers))


def _visit(
    inputs: Sequence[KerasTensor],
    outputs: Sequence[KerasTensor],
    instead: Mapping[Node, Node] | None = None,
) -> tuple[list[Node], dict[Layer, int]]:
    """Calls as a depth-first walk leaves them, and layers as it meets them.

    A call in `instead` reads what the one there reads.
    """

    def inputs_of(node: Node) -> Iterator[KerasTensor]:
        return iter((instead or {}).get(node, node).inputs)

    finished: dict[Node, None] = {}
    order: dict[Layer, int] = {}
    given = set(inputs)
    for output in outputs:
        stack = [(output.node, inputs_of(output.node))]
        if output.node in finished:
            continue
        order.setdefault(output.node.layer, len(order))
        while stack:
            node, pending = stack[-1]
            for tensor in pending:
                inner = tensor.node
                if inner in finished or (tensor in given and inner.inputs):
                    continue
                order.setdefault(inner.layer, len(order))
                stack.append((inner, inputs_of(inner)))
                break
            else:
                finished.setdefault(node)
                stack.pop()
    return list(finished), order


def _depths(nodes: Sequence[Node]) -> dict[Layer, int]:
    """For each layer the longest way from one of its calls to an output."""
    members = set(nodes)
    node_depths: dict[Node, int] = {}
    layer_depths: dict[Layer, int] = {}
    for node in reversed(nodes):
        depth = max(node_depths.setdefault(node, 0), layer_depths.get(node.layer, 0))
        layer_depths[node.layer] = node_depths[node] = depth
        for tensor in node.inputs:
            if tensor.node in members:
                node_depths[tensor.node] = max(depth + 1, node_depths.get(tensor.node, 0))
    return layer_depths


def _check_connected(inputs: Sequence[KerasTensor], nodes: Sequence[Node], model: str) -> None:
    given = set(inputs)
    missing = [
        node.layer.name
        for node in nodes
        if isinstance(node.layer, InputLayer) and node.outputs not in given
    ]
    if missing:
        raise CompileError(
            f"{model}: its outputs need the input {' and '.join(map(repr, missing))}, "
            "but that is not among its inputs",
            remedy="Give every Input that leads to an output to Model(inputs=...).",
        )


def _check_names(layers: Sequence[Layer], model: str) -> None:
    names = [layer.name for layer in layers]
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise CompileError(
            f"{model}: two layers are called {' and '.join(map(repr, twice))}, "
            "but names in a model must differ"
        )


def with_own_inputs(
    inputs: Any,
    outputs: Any,
    input_for: Callable[[KerasTensor], KerasTensor] | None = None,
    instead: Mapping[Node, Node] | None = None,
) -> tuple[Any, Any]:
    """The same computation from new inputs, for those that are results of layers.

    `input_for` makes a new input, or returns the tensor if that stays one. Where `instead` has
    another call for one, that is made.
    """
    flat: list[KerasTensor] = leaves(inputs)
    nodes, _ = _visit(flat, leaves(outputs), instead)
    new: dict[KerasTensor, KerasTensor] = {}
    for tensor in flat:
        new[tensor] = (input_for or _input_like)(tensor)

    def swap(x: Any) -> Any:
        return new.get(x, x) if isinstance(x, KerasTensor) else x

    for node in nodes:
        if all(output in new for output in leaves(node.outputs)) or not node.inputs:
            continue
        made = (instead or {}).get(node, node)
        copy = Node(made.layer, *map_structure(swap, (made.args, made.kwargs)))
        flat_outputs = [
            KerasTensor(x.type, copy, x.position, x.name) for x in leaves(node.outputs)
        ]
        copy.outputs = pack(node.outputs, flat_outputs)
        made.layer.nodes.append(copy)
        for old, output in zip(leaves(node.outputs), flat_outputs, strict=True):
            new.setdefault(old, output)

    return map_structure(swap, inputs), map_structure(swap, outputs)


def _input_like(tensor: KerasTensor) -> KerasTensor:
    if isinstance(tensor.node.layer, InputLayer):
        return tensor
    output: KerasTensor = InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype).output
    return output
