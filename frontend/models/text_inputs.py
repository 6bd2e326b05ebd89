"""Models that read text: what runs in Python before the network, and the network itself.

The layers that read text stand before all others. What they make is an input of the network, which
is a functional model with the same layers: it is what is traced, compiled, trained and exported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.errors import UnsupportedError
from kerac.layers.input import InputLayer
from kerac.layers.text.base import TextLayer, TextType
from kerac.models.topology import with_own_inputs
from kerac.structure import map_structure
from kerac.tensor import KerasTensor, Node

if TYPE_CHECKING:
    from kerac.models.functional import Functional

Array = np.ndarray[Any, np.dtype[Any]]


class TextInputs:
    """What a functional model computes in Python, `encode`, and the `network` after it."""

    def __init__(self, model: Functional) -> None:
        from kerac.models.functional import Functional

        self.model = model
        self.nodes = [n for n in model._topology.nodes if isinstance(n.layer, TextLayer)]
        made = {tensor for node in self.nodes for tensor in (node.outputs,)}
        self._check(made)
        needed = dict.fromkeys(
            [x for n in model._topology.nodes if n not in self.nodes for x in n.inputs]
            + model.outputs
        )
        self.inputs = [x for x in [*model.inputs, *made] if x in needed]
        self._check_native()
        before = {node.layer: len(node.layer.nodes) for node in model._topology.nodes}
        inputs, outputs = with_own_inputs(self.inputs, model._output_structure, _input_for)
        self.network = Functional(inputs, outputs)
        self.network.name = model.name
        for layer, count in before.items():
            del layer.nodes[count:]  # the calls in the network are no calls of the model

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
    """Whether one of the calls is one of a layer that reads text."""
    return any(isinstance(node.layer, TextLayer) for node in nodes)


def _input_for(tensor: KerasTensor) -> KerasTensor:
    """An input in place of a tensor; what a layer made of text is called after it."""
    layer = tensor.node.layer
    if isinstance(layer, InputLayer):
        return tensor
    output: KerasTensor = InputLayer(
        batch_shape=tensor.shape, dtype=tensor.dtype, name=layer.name
    ).output
    return output
