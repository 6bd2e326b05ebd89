"""Models that read text: what runs in Python before the network, and the network itself.

The layers that read text stand before all others. What they make is an input of the network, which
is a functional model with the same layers: it is what is traced, compiled, trained and exported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.errors import UnsupportedError
from kerac.ir.graph import unique_name
from kerac.layers.input import InputLayer
from kerac.layers.text.base import TextLayer, TextType
from kerac.models.topology import with_own_inputs
from kerac.structure import map_structure, pack
from kerac.tensor import KerasTensor, Node

if TYPE_CHECKING:
    from kerac.models.functional import Functional

Array = np.ndarray[Any, np.dtype[Any]]


class TextInputs:
    """What a functional model computes in Python, `encode`, and the `network` after it."""

    def __init__(self, model: Functional) -> None:
        from kerac.models.functional import Functional

        self.model = model
        self.nodes: list[Node] = []
        self._networks: dict[Node, Node] = {}
        for node in model._topology.nodes:
            if isinstance(node.layer, TextLayer):
                self.nodes.append(node)
            elif (inner := text_inputs_of(node.layer)) is not None:
                self._take_apart(node, inner)
        made = {tensor for node in self.nodes for tensor in (node.outputs,)}
        self._check(made)
        calls = [self._networks.get(n, n) for n in model._topology.nodes if n not in self.nodes]
        needed = dict.fromkeys([x for n in calls for x in n.inputs] + model.outputs)
        self.inputs = [x for x in [*model.inputs, *made] if x in needed]
        self._check_native()
        before = {node.layer: len(node.layer.nodes) for node in model._topology.nodes}
        before |= {node.layer: len(node.layer.nodes) for node in self._networks.values()}
        names: dict[str, None] = {str(layer.name): None for layer in before}
        for node in self.nodes:
            names.pop(str(node.layer.name), None)
        inputs, outputs = with_own_inputs(
            self.inputs,
            model._output_structure,
            lambda tensor: _input_for(tensor, names),
            self._networks,
        )
        self.network = Functional(inputs, outputs)
        self.network.name = model.name
        for layer, count in before.items():
            del layer.nodes[count:]  # the calls in the network are no calls of the model

    def _take_apart(self, node: Node, inner: TextInputs) -> None:
        """A model in this one reads text as well: its text is read here, its network called."""
        known = dict(zip(inner.model.inputs, inner.model.in_order(node.args[0]), strict=True))
        for text in inner.nodes:
            copy = Node(text.layer, map_structure(lambda x: known[x], text.args), {})
            name = text.outputs.name
            known[text.outputs] = copy.outputs = KerasTensor(text.outputs.type, copy, 0, name)
            self.nodes.append(copy)
        arguments = ([known[x] for x in inner.inputs], *node.args[1:])
        self._networks[node] = Node(inner.network, arguments, node.kwargs)

    def encode(self, x: Any) -> list[Array]:
        """The inputs of the network, from those of the model."""
        known: dict[KerasTensor, Any] = dict(
            zip(self.model.inputs, self.model.in_order(x), strict=True)
        )
        for node in self.nodes:
            arguments = map_structure(lambda tensor: known[tensor], node.args[0])
            if isinstance(node.layer, TextLayer):
                known[node.outputs] = node.layer.encode(arguments)
        return [np.asarray(known[tensor]) for tensor in self.inputs]

    def _check(self, made: set[KerasTensor]) -> None:
        given = made | set(self.model.inputs)
        for node in self.nodes:
            if not set(node.inputs) <= given:
                raise UnsupportedError(
                    f"{self.model.name}: {node.layer.name!r} reads what the network computes, "
                    "but layers that read text run before it"
                )

    def _check_native(self) -> None:
        texts = [tensor.name for tensor in self.inputs if isinstance(tensor.type, TextType)]
        if texts:
            raise UnsupportedError(
                f"{self.model.name}: {texts[0]!r} is text where the network reads or returns it, "
                "but native code has none",
                remedy="Look it up by a StringLookup or TextVectorization first.",
            )


def reads_text(nodes: tuple[Node, ...]) -> bool:
    """Whether one of the calls is one of a layer or a model that reads text."""
    return any(
        isinstance(node.layer, TextLayer) or text_inputs_of(node.layer) is not None
        for node in nodes
    )


def text_inputs_of(layer: Any) -> TextInputs | None:
    """What a layer that is a model computes in Python."""
    found = getattr(layer, "text_inputs", None)
    inputs: TextInputs | None = None if found is None else found()
    return inputs


def call_on_text(model: Any, inner: TextInputs, args: tuple[Any, ...], kwargs: Any) -> Any:
    """A call of a model that reads text on symbolic tensors, which has the model's outputs."""
    node = Node(model, args, kwargs)
    structure = inner.model._output_structure
    flat = [
        KerasTensor(x.type, node, position, f"keras_tensor_{model.name}_{position}")
        for position, x in enumerate(inner.model.outputs)
    ]
    node.outputs = pack(structure, flat)
    model.nodes.append(node)
    if isinstance(node.outputs, list | tuple) and len(node.outputs) == 1:
        return node.outputs[0]
    return node.outputs


def _input_for(tensor: KerasTensor, taken: dict[str, None]) -> KerasTensor:
    """An input in place of a tensor; what a layer made of text is called after it."""
    layer = tensor.node.layer
    if isinstance(layer, InputLayer):
        return tensor
    name = unique_name(str(layer.name), taken)
    taken[name] = None
    output: KerasTensor = InputLayer(
        batch_shape=tensor.shape, dtype=tensor.dtype, name=name
    ).output
    return output
