"""Layers from what a file or `get_config` says about them, by a closed table of classes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from kerac.configured import suggestion
from kerac.convert import plain
from kerac.dtype_policies import REMEDY
from kerac.ir.errors import CompileError, FormatError, UnsupportedError
from kerac.layers.base import REGISTRY, Layer
from kerac.layers.dtypes import policy_of
from kerac.layers.sharing import find_shared, remember_shared
from kerac.registration import custom_object_scope, custom_objects, given_classes
from kerac.saving.config import SerializedObject, decode_members

MOST_SHOWN = 20


def known_layers() -> dict[str, Any]:
    """All classes that a file may name."""
    return {**_table(), **given_classes()}


def _table() -> dict[str, type[Layer]]:
    """The classes of kerac; those of operations are made when they are first asked for."""
    import_module("kerac.ops")
    return REGISTRY


def decoded(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with the objects in it read, whether it comes from a file or from `get_config`."""
    return decode_members(dict(config))


def deserialize_layer(value: Any) -> Any:
    """The layer that a serialized object describes; a layer stays as it is."""
    if isinstance(value, Layer):
        return value
    if isinstance(value, Mapping):
        members = decode_members({"layer": dict(value)})
        value = members["layer"]
    if not isinstance(value, SerializedObject):
        raise CompileError(f"{value!r:.60} does not describe a layer")
    known = find_shared(value.shared_object_id)
    if known is not None:
        return known
    layer = layer_class(value).from_config(value.config)
    # other layers are built when they are called, within the path of their model
    if value.build_config and value.class_name == "Sequential":
        layer.build_from_config(value.build_config)
    remember_shared(value.shared_object_id, layer)
    return layer


def serialize(layer: Layer) -> dict[str, Any]:
    """A layer as Keras writes it: its class and config."""
    written: dict[str, Any] = plain(layer.serialize())
    return written


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer that `serialize` or Keras described."""
    with custom_object_scope(custom_objects):
        return deserialize_layer(config)


def listed_layers(config: Mapping[str, Any]) -> list[SerializedObject]:
    """The layers in the config of a model."""
    layers = config.get("layers")
    if not isinstance(layers, list) or not all(isinstance(x, SerializedObject) for x in layers):
        raise FormatError(
            f"the layers of a model are {layers!r:.40}, but a list of layers is expected"
        )
    return layers


def layer_class(described: SerializedObject) -> Any:
    """The class that a serialized object names."""
    known = known_layers()
    given = given_classes()
    for name in (described.kind, described.registered_name or "", described.class_name):
        if name in given:
            return given[name]
    found = _table().get(described.kind)
    if described.module is None and is_operation(described):
        found = _table()[f"ops.{described.class_name}"]
    if found is None:
        place = described.path or described.name or "the model"
        if described.class_name == "Lambda":
            raise UnsupportedError(
                f"{place}: is a Lambda, which is Python code, and code in a file is never run",
                remedy="Pass a layer in its place: custom_objects={'Lambda': ...}.",
            )
        fact = f"{place}: there is no layer {described.kind!r}"
        raise UnsupportedError(fact, remedy=suggestion(described.kind, known))
    return found


def is_operation(described: SerializedObject) -> bool:
    """Whether an object without a module, as HDF5 files have them, is an operation."""
    if f"ops.{described.class_name}" not in _table():
        return False
    return described.class_name not in REGISTRY or "trainable" not in described.config


def kinds_known(root: SerializedObject) -> set[str]:
    """What a file may name: known layers, and classes given in code under any of their names."""
    given = given_classes()
    found = set(known_layers())
    for item in root.walk():
        if isinstance(item, SerializedObject) and (
            item.class_name in given or (item.module is None and is_operation(item))
        ):
            found.add(item.kind)
    return found


def refuse_dtypes(root: SerializedObject, label: str) -> None:
    """Raise one error that lists all layers whose dtype policies kerac lacks."""
    lines = []
    for item in root.walk():
        if isinstance(item, SerializedObject) and item.is_layer and _computes(item):
            place = item.path or item.class_name
            try:
                policy_of(item.config.get("dtype"), item.class_name, place)
            except CompileError:
                lines.append(f"{place}: {_policy_name(item.config.get('dtype'))!s:.40}")
    if lines:
        count = "1 layer" if len(lines) == 1 else f"{len(lines)} layers"
        more = [f"and {len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else []
        raise UnsupportedError(
            f"{label}: {count} compute in another dtype, but kerac computes in floating point",
            details=(*lines[:MOST_SHOWN], *more),
            remedy=f"Save the model with another dtype policy. {REMEDY}",
        )


def _policy_name(given: Any) -> Any:
    """What an error calls a dtype policy."""
    if not isinstance(given, SerializedObject):
        return given
    return given.config.get("name") or given.class_name


def _computes(described: SerializedObject) -> bool:
    """Whether the dtype in a config is that of a computation, and not of an input or a result."""
    if described.kind.startswith("ops.") or (described.module is None and is_operation(described)):
        return False
    return described.class_name not in ("InputLayer", "Hashing", "HashedCrossing")


__all__ = [
    "custom_objects",
    "decoded",
    "deserialize",
    "deserialize_layer",
    "given_classes",
    "is_operation",
    "kinds_known",
    "known_layers",
    "layer_class",
    "listed_layers",
    "refuse_dtypes",
    "serialize",
]
