"""Layers that stand inside others: reading them, and making their weights under the right path."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from kerac.convert import Conversion
from kerac.layers.base import Layer
from kerac.layers.deserialize import deserialize_layer
from kerac.names import name_scope
from kerac.saving.config import SerializedObject


def read_inside(value: Any) -> Any:
    """The layer that `value` is or describes; the layer around it makes its weights."""
    if isinstance(value, SerializedObject):
        value = replace(value, build_config=None)
    elif isinstance(value, Mapping):
        value = {key: item for key, item in value.items() if key != "build_config"}
    return deserialize_layer(value)


def build_inside(layer: Layer, shape: Any) -> None:
    """Make the weights of a layer inside the one that is being built, unless it has them."""
    if not layer.built:
        name = next(iter(inspect.signature(layer.build).parameters))
        with name_scope(str(layer.name)):
            layer.build_with({name: shape})


InnerLayer = Annotated[Any, Conversion(read_inside, lambda layer: layer.serialize(), "a layer")]
"""The kind of a field that holds a layer."""
