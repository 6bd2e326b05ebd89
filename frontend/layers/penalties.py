"""What layers add to the loss: penalties on weights and outputs, and what they say themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerac import constraints, regularizers
from kerac.ir import Value, ops
from kerac.structure import leaves
from kerac.tracing import current_trace, traced

if TYPE_CHECKING:
    from kerac.layers.base import Layer
    from kerac.variable import Variable


def argument_for(layer: Any, weight: str, kind: str) -> Any:
    """The regularizer or constraint (`kind`) among a layer's arguments that is for a weight.

    That of `recurrent_kernel` is called `recurrent_regularizer`.
    """
    for name in (weight, weight.removesuffix("_kernel")):
        if hasattr(layer, f"{name}_{kind}"):
            return getattr(layer, f"{name}_{kind}")
    return None


def attach_penalties(layer: Any, variable: Variable, regularizer: Any, constraint: Any) -> None:
    """Give a weight that is trained its regularizer and constraint, those of the layer if None."""
    if not variable.trainable:
        return
    for kind, given, find in (
        ("regularizer", regularizer, regularizers.get),
        ("constraint", constraint, constraints.get),
    ):
        setattr(variable, kind, find(given or argument_for(layer, variable.name, kind)))


def penalize_outputs(layer: Layer, outputs: Any) -> None:
    """Add a layer's activity regularizer of its outputs, for each sample of the batch."""
    if layer.activity_regularizer is None or not current_trace().in_place:
        return
    for value in leaves(outputs):
        if isinstance(value, Value) and value.tensor_type.is_float:
            penalty = layer.activity_regularizer(ops.cast(value, "f32"))
            if value.ndim:
                penalty = ops.divide(penalty, batch_size(value))
            current_trace().losses.append(penalty)


def penalties_on_weights(layer: Layer) -> list[Value]:
    """The penalties on all weights that training changes, in the graph in the making."""
    return [
        variable.regularizer(traced(variable))
        for variable in layer.trainable_weights
        if variable.regularizer is not None
    ]


def batch_size(value: Value) -> Value:
    """The length of the first axis in the graph, f32."""
    return ops.Length(value.shape[0])()
