"""Layers from what a file or `get_config` says about them, by a closed table of classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kerac.configured import suggestion
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.layers.base import REGISTRY, Layer
from kerac.saving.config import SerializedObject, decode_members

_custom: ContextVar[Mapping[str, Any]] = ContextVar("custom objects", default={})


@contextmanager
def custom_objects(replacements: Mapping[str, Any] | None) -> Iterator[None]:
    """Let classes given in code stand for names in a file, in the block."""
    token = _custom.set({**_custom.get(), **(replacements or {})})
    try:
        yield
    finally:
        _custom.reset(token)


def known_layers() -> dict[str, Any]:
    """All classes that a file may name."""
    return {**REGISTRY, **_custom.get()}


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
    layer = layer_class(value).from_config(value.config)
    if value.build_config:
        layer.build_from_config(value.build_config)
    return layer


def layer_class(described: SerializedObject) -> Any:
    """The class that a serialized object names."""
    known = known_layers()
    for name in (described.kind, described.registered_name, described.class_name):
        if name in _custom.get():
            return known[name]
    found = REGISTRY.get(described.kind)
    if found is None:
        place = described.path or described.name or "the model"
        if described.class_name == "Lambda":
            raise UnsupportedError(
                f"{place}: is a Lambda, which is Python code, and code in a file is never run",
                remedy=f"Pass a layer in its place: custom_objects={{'Lambda': ...}}.",
            )
        raise UnsupportedError(
            f"{place}: there is no layer {described.kind!r}", remedy=suggestion(described.kind, known)
        )
    return found
