"""Functional models as Keras writes them: layers, their calls, and what enters and leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kerac.convert import plain
from kerac.ir.errors import FormatError
from kerac.layers.base import Layer
from kerac.layers.deserialize import decoded, deserialize_layer, listed_layers
from kerac.saving.config import InboundNode, TensorReference
from kerac.structure import leaves, map_structure
from kerac.tensor import KerasTensor, Node, reference

if TYPE_CHECKING:
    from kerac.models.functional import Functional


def functional_config(model: Functional) -> dict[str, Any]:
    """The config of a functional model."""
    from kerac.models.functional import Functional

    positions = _positions(model)

    def written(x: Any) -> Any:
        return reference(x, positions[x.node]) if isinstance(x, KerasTensor) else plain(x)

    def history(x: KerasTensor) -> list[Any]:
        # Keras counts the calls of a functional model from 1 here, but not in the calls below.
        offset = 1 if isinstance(x.node.layer, Functional) else 0
        return [x.node.layer.name, positions[x.node] + offset, x.position]

    layers = []
    for layer in model.operations:
        calls = [node for node in layer.nodes if node in positions and node.inputs]
        nodes = [
            {
                "args": [map_structure(written, argument) for argument in node.args],
                "kwargs": map_structure(written, node.kwargs),
            }
            for node in calls
        ]
        serialized = layer.serialize()
        serialized.update(name=layer.name, inbound_nodes=nodes)
        layers.append(serialized)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": _histories(history, model._input_structure),
        "output_layers": _histories(history, model._output_structure),
    }


def _positions(model: Functional) -> dict[Node, int]:
    """For each call the how-manieth of its layer it is in this model."""
    members = set(model._topology.nodes)
    return {
        node: position
        for layer in model.operations
        for position, node in enumerate(n for n in layer.nodes if n in members)
    }


def _histories(history: Any, structure: Any) -> Any:
    if isinstance(structure, KerasTensor):
        return history(structure)
    if isinstance(structure, dict):
        return {key: _histories(history, item) for key, item in structure.items()}
    return [_histories(history, item) for item in structure]


@dataclass
class _Call:
    """One call that a file describes."""

    layer: str
    node: InboundNode

    def references(self) -> Iterator[TensorReference]:
        for x in leaves([self.node.args, self.node.kwargs]):
            if isinstance(x, TensorReference):
                yield x


@dataclass
class _Rebuilt:
    """The layers of a model in the making and what their calls returned so far."""

    layers: dict[str, Layer]
    results: dict[str, list[Any]] = field(default_factory=dict)
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)

    def is_known(self, given: TensorReference) -> bool:
        """Whether the call that the reference names was made."""
        self._check(given)
        index = given.node - self.offsets[given.layer][0]
        return 0 <= index < len(self.results[given.layer])

    def _check(self, given: TensorReference) -> None:
        if given.layer not in self.layers or not isinstance(given.node, int):
            raise FormatError(
                f"the result of the layer {given.layer!r} is used, "
                "but the model has none of that name"
            )

    def tensor(self, given: TensorReference, in_call: bool = True) -> Any:
        """What a reference stands for."""
        self._check(given)
        index = given.node - self.offsets[given.layer][0 if in_call else 1]
        results = self.results[given.layer]
        flat = leaves(results[index]) if 0 <= index < len(results) else []
        if not 0 <= given.tensor < len(flat):
            raise FormatError(
                f"result {given.tensor} of call {given.node} of {given.layer!r} is used, "
                "but the model has none such"
            )
        return flat[given.tensor]


def functional_from_config(cls: type[Functional], config: Mapping[str, Any]) -> Any:
    """Make a functional model from its config, by making all calls anew."""
    config = decoded(config)
    described = listed_layers(config)
    calls = [_Call(str(item.name), node) for item in described for node in item.inbound_nodes]
    for call in calls:
        if not isinstance(call.node.args, tuple) or not isinstance(call.node.kwargs, dict):
            raise FormatError(f"a call of {call.layer!r} has no list of arguments, or none by name")
    outputs = config.get("output_layers")
    rebuilt = _Rebuilt({str(item.name): deserialize_layer(item) for item in described})
    for item in described:
        name = str(item.name)
        layer = rebuilt.layers[name]
        rebuilt.offsets[name] = _offsets(layer, name, calls, outputs)
        is_input = not item.inbound_nodes and layer.nodes
        rebuilt.results[name] = [layer.nodes[0].outputs] if is_input else []
    _make_calls(rebuilt, calls)

    def found(x: Any) -> Any:
        return rebuilt.tensor(x, in_call=False) if isinstance(x, TensorReference) else x

    inputs = map_structure(found, _as_references(config.get("input_layers")))
    return cls(
        inputs,
        map_structure(found, _as_references(outputs)),
        name=config.get("name"),
        trainable=config.get("trainable"),
    )


def _make_calls(rebuilt: _Rebuilt, calls: list[_Call]) -> None:
    """Make each call as soon as its arguments are there, those of one layer in order."""
    pending = calls
    while pending:
        waiting: list[_Call] = []
        blocked: set[str] = set()
        for call in pending:
            ready = call.layer not in blocked and all(map(rebuilt.is_known, call.references()))
            if not ready:
                blocked.add(call.layer)
                waiting.append(call)
                continue
            args, kwargs = map_structure(
                lambda x: rebuilt.tensor(x) if isinstance(x, TensorReference) else x,
                (call.node.args, call.node.kwargs),
            )
            result = rebuilt.layers[call.layer](*args, **kwargs)
            rebuilt.results[call.layer].append(result)
        if len(waiting) == len(pending):
            names = ", ".join(dict.fromkeys(repr(call.layer) for call in waiting))
            raise FormatError(
                f"the calls of {names} need each other's results, or results of no call"
            )
        pending = waiting


def _offsets(layer: Layer, name: str, calls: list[_Call], outputs: Any) -> tuple[int, int]:
    """What to subtract from the numbers of a layer's calls, in calls and where results leave.

    Keras 2 counts calls of models from 1, Keras 3 does so for functional ones where results leave.
    """
    from kerac.models.model import Model

    if not isinstance(layer, Model):
        return 0, 0
    count = sum(call.layer == name for call in calls)
    used = {r.node for call in calls for r in call.references() if r.layer == name}
    results = leaves(_as_references(outputs))
    left = {r.node for r in results if isinstance(r, TensorReference) and r.layer == name}
    usual = [(0, 1), (1, 1), (0, 0)]
    if type(layer).__name__ == "Sequential":
        usual.reverse()
    for inside, outside in usual:
        if {n - inside for n in used} | {n - outside for n in left} == set(range(count)):
            return inside, outside
    return usual[0]


def _as_references(structure: Any) -> Any:
    """References as `[layer, call, result]` in lists and dictionaries."""
    if isinstance(structure, dict):
        return {key: _as_references(item) for key, item in structure.items()}
    is_triple = isinstance(structure, list) and len(structure) == 3
    if is_triple and isinstance(structure[0], str) and all(type(n) is int for n in structure[1:]):
        return TensorReference(*structure)
    if isinstance(structure, list | tuple):
        return [_as_references(item) for item in structure]
    return structure
