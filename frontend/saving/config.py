"""Keras's serialized objects as frozen data: what a file says, before anybody builds it.

Nothing is imported or built here. An object keeps the class name and module that the file gives,
known or not, so that a caller can list everything it does not support at once. Code in a file (a
pickled lambda) is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerac.ir.errors import FormatError

# Where Keras keeps layers inside the config of other layers.
LAYER_KEYS = frozenset({"layers", "layer", "forward_layer", "backward_layer", "cell", "cells"})
KERAS_PACKAGES = frozenset({"keras", "tf_keras", "tensorflow", "kerac", "builtins"})
DTYPE_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy", "Policy"})
ARRAY_DTYPES = frozenset(
    {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
    | {"float16", "float32", "float64"}
)
CODE = "__lambda__"


@dataclass(frozen=True)
class TensorReference:
    """The `tensor`-th output of the `node`-th call of a layer of the same model."""

    layer: str
    node: int
    tensor: int
    shape: tuple[int | None, ...] | None = field(default=None, compare=False)
    dtype: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class InboundNode:
    """One call of a layer: its arguments, with `TensorReference` where tensors go."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class SerializedFunction:
    """A function that the file names."""

    name: str
    module: str | None
    registered_name: str | None
    path: str

    @property
    def is_keras(self) -> bool:
        """Whether the name is one of Keras, and not one of the file's author."""
        return _is_keras(self.module, self.registered_name)

    @property
    def kind(self) -> str:
        """The name that the file's author gave."""
        is_name = self.registered_name not in (None, "function")
        return str(self.registered_name) if is_name else self.name


@dataclass(frozen=True)
class SerializedObject:
    """An object that the file describes: a model, a layer, an initializer ...

    `config` holds plain values and, decoded, further objects. `path` says where it is, in the names
    of the layers from the outermost model inwards: `block/conv`, `dense.kernel_initializer`.
    """

    class_name: str
    module: str | None
    registered_name: str | None
    config: dict[str, Any]
    path: str
    name: str | None = None
    build_config: dict[str, Any] | None = None
    compile_config: Any = None
    """As it stands in the file: a model is whole whatever it holds."""
    inbound_nodes: tuple[InboundNode, ...] = ()
    shared_object_id: int | None = None
    is_layer: bool = False

    @property
    def is_keras(self) -> bool:
        """Whether the class is Keras's, and not one of the same name by the file's author."""
        return self.class_name != CODE and _is_keras(self.module, self.registered_name)

    @property
    def kind(self) -> str:
        """What to look up: `Add` for the layer, `ops.Add` for that in `keras.ops`.

        A class of the file's author is called as it was registered, `package>Name`, or by its
        module.
        """
        if not self.is_keras:
            return self.registered_name or ".".join(filter(None, [self.module, self.class_name]))
        is_operation = re.match(r"keras\.(src\.)?ops\b", self.module or "")
        return f"ops.{self.class_name}" if is_operation else self.class_name

    def walk(self) -> Iterator[SerializedObject | SerializedFunction]:
        """Yield all objects and functions in this one, itself first, in the file's order."""
        pending: list[Any] = [self]
        while pending:
            item = pending.pop()
            if isinstance(item, SerializedObject | SerializedFunction):
                yield item
            pending.extend(reversed(_parts(item)))


def _parts(item: Any) -> list[Any]:
    if isinstance(item, SerializedObject):
        return [item.config, *item.inbound_nodes]
    if isinstance(item, InboundNode):
        return [item.args, item.kwargs]
    if isinstance(item, dict):
        return list(item.values())
    return list(item) if isinstance(item, list | tuple) else []


def _is_keras(module: str | None, registered_name: str | None) -> bool:
    # Before Keras 3 built-in classes had no module in the file; registered names of others are
    # "package>Name".
    package = (module or "keras").split(".")[0]
    return package in KERAS_PACKAGES and ">" not in (registered_name or "")


def decode_config(value: dict[str, Any], label: str) -> SerializedObject:
    """Return the model that a parsed `config.json`, `model_config` or `to_json()` describes."""
    if "class_name" not in value or "config" not in value:
        raise FormatError(
            f"{label}: has no class_name and config, but a Keras model is described by both",
            remedy="Save the model again with model.save(path), or write model.to_json().",
        )
    try:
        return _object(value, None, is_layer=True)
    except FormatError as error:
        raise error.with_details(thing=label) from None


def decode_members(config: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return the config of one object with the objects in it decoded."""
    return _members(config, path)


def _decode(value: Any, path: str, *, is_layer: bool = False) -> Any:
    if isinstance(value, list):
        return [_decode(item, path, is_layer=is_layer) for item in value]
    if not isinstance(value, dict):
        return value
    class_name = value.get("class_name")
    special = SPECIAL.get(class_name) if isinstance(class_name, str) else None
    if special is not None:
        return special(value, path)
    if class_name is None or "config" not in value:
        return _members(value, path)
    if isinstance(class_name, str) and class_name in DTYPE_POLICIES:
        return _get(_get(value, "config", dict, path), "name", str, path)
    return _object(value, path, is_layer=is_layer)


def _members(values: dict[str, Any], path: str) -> dict[str, Any]:
    result = {}
    for key, value in values.items():
        is_layer = key in LAYER_KEYS
        # Layers add their own name, everything else is called by its key.
        inner = path if is_layer else ".".join(filter(None, [path, key]))
        result[key] = _decode(value, inner, is_layer=is_layer)
    return result


def _object(value: dict[str, Any], path: str | None, *, is_layer: bool) -> SerializedObject:
    """Decode one object; the outermost has no path, so that its layers go by their names."""
    class_name = _get(value, "class_name", str, path or "")
    config = value["config"]
    if isinstance(config, list) and class_name == "Sequential":
        config = {"layers": config}  # as Keras wrote it before 2.2.3
    if not isinstance(config, dict | None):
        raise _error(
            path or "", f"the config of {class_name} is {config!r:.40}, but an object is expected"
        )
    config = dict(config or {})
    name = _get(value, "name", str, path or "", None) or _get(config, "name", str, path or "", None)
    if path is None:
        path = ""
    elif is_layer:
        path = "/".join(filter(None, [path, name or class_name]))
    graph = {
        key: config.pop(key)
        for key in ("input_layers", "output_layers")
        if "layers" in config and key in config
    }
    if class_name == "Lambda" and isinstance(config.get("function"), list):
        config["function"] = {"class_name": CODE, "config": {}}
    decoded = _members(config, path)
    decoded.update((key, _references(item, path)) for key, item in graph.items())
    nodes = _get(value, "inbound_nodes", list, path, None) or []
    build_config = _get(value, "build_config", dict, path, None)
    return SerializedObject(
        class_name=class_name,
        module=_get(value, "module", str, path, None),
        registered_name=_get(value, "registered_name", str, path, None),
        config=decoded,
        path=path,
        name=name,
        build_config=None if build_config is None else _members(build_config, path),
        compile_config=value.get("compile_config"),
        inbound_nodes=tuple(_node(node, path) for node in nodes),
        shared_object_id=_get(value, "shared_object_id", int, path, None),
        is_layer=is_layer,
    )


REQUIRED: Any = object()


def _get(values: dict[str, Any], key: str, kind: type, path: str, default: Any = REQUIRED) -> Any:
    """Return a member that must be of one type; a null counts as missing."""
    value = values.get(key)
    if value is None and default is not REQUIRED:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        expected = {dict: "an object", list: "a list", str: "a text", int: "an integer"}[kind]
        raise _error(path, f"{key} is {value!r:.40}, but {expected} is expected")
    return value


def _error(path: str, fact: str) -> FormatError:
    return FormatError(f"{path}: {fact}" if path else fact)


# Calls of layers in a functional model.


def _node(node: Any, path: str) -> InboundNode:
    """Decode a call: args and kwargs since Keras 3, a list of references before."""
    if isinstance(node, dict):
        args = _decode(_get(node, "args", list, path), path)
        return InboundNode(tuple(args), _decode(_get(node, "kwargs", dict, path), path))
    if not isinstance(node, list):
        raise _error(path, f"a call is {node!r:.40}, but a list is expected")
    kwargs: dict[str, Any] = {}
    if _is_reference(node):
        inputs = _old_input(node, kwargs, path)
    else:
        inputs = [_old_input(item, kwargs, path) for item in node]
        if len(inputs) == 1:
            (inputs,) = inputs
    return InboundNode((inputs,) if node else (), kwargs)


def _old_input(item: Any, kwargs: dict[str, Any], path: str) -> Any:
    """Decode `[layer, node, tensor, kwargs]`, or a list of such; the last kwargs count."""
    if not _is_reference(item):
        if not isinstance(item, list):
            raise _error(path, f"an input is {item!r:.40}, but [layer, node, tensor] is expected")
        return [_old_input(inner, kwargs, path) for inner in item]
    name, node, tensor, *others = item
    if others:
        given = _get({"keyword arguments": others[0]}, "keyword arguments", dict, path)
        kwargs.clear()
        kwargs.update(
            (key, _references(value, path)) for key, value in _members(given, path).items()
        )
    if name == "_CONSTANT_VALUE":
        return _decode(tensor, path)
    return TensorReference(name, node, _get({"tensor": tensor}, "tensor", int, path))


def _is_reference(item: Any) -> bool:
    return (
        isinstance(item, list)
        and len(item) in (3, 4)
        and isinstance(item[0], str)
        and isinstance(item[1], int)
        and (isinstance(item[2], int) or item[0] == "_CONSTANT_VALUE")
    )


def _references(item: Any, path: str) -> Any:
    """Replace every `[layer, node, tensor]` in lists and dictionaries by a reference."""
    if _is_reference(item) and len(item) == 3 and item[0] != "_CONSTANT_VALUE":
        return TensorReference(*item)
    if isinstance(item, list):
        return [_references(inner, path) for inner in item]
    if isinstance(item, dict):
        return {key: _references(inner, path) for key, inner in item.items()}
    return item


# Values that are no objects, but look like them.


def _config(value: dict[str, Any], path: str) -> dict[str, Any]:
    """Return where the members are: in `config` since Keras 3, beside `class_name` before."""
    return _get(value, "config", dict, path, value)  # type: ignore[no-any-return]


def _tensor(value: dict[str, Any], path: str) -> TensorReference:
    config = _config(value, path)
    history = config.get("keras_history")
    if not isinstance(history, list) or not _is_reference(history):
        raise _error(
            path, f"a tensor comes from {history!r:.40}, but [layer, node, tensor] is expected"
        )
    shape = _get(config, "shape", list, path, None)
    if shape is not None and not all(size is None or type(size) is int for size in shape):
        raise _error(path, f"a tensor has shape {shape!r:.40}, but integers are expected")
    return TensorReference(
        layer=history[0],
        node=history[1],
        tensor=history[2],
        shape=None if shape is None else tuple(shape),
        dtype=_get(config, "dtype", str, path, None),
    )


def _array(value: dict[str, Any], path: str) -> np.ndarray[Any, np.dtype[Any]]:
    config = _config(value, path)
    dtype = _get(config, "dtype", str, path)
    if dtype not in ARRAY_DTYPES:
        raise _error(path, f"an array has dtype {dtype!r:.40}, but numbers are expected")
    try:
        return np.array(config.get("value"), dtype)
    except (ValueError, TypeError, OverflowError):
        raise _error(path, f"an array does not hold {dtype} in equal rows") from None


def _function(value: dict[str, Any], path: str) -> SerializedFunction:
    return SerializedFunction(
        name=_get(value, "config", str, path),
        module=_get(value, "module", str, path, None),
        registered_name=_get(value, "registered_name", str, path, None),
        path=path,
    )


def _slice(value: dict[str, Any], path: str) -> slice:
    config = _config(value, path)
    return slice(*(_decode(config.get(key), path) for key in ("start", "stop", "step")))


def _tuple(value: dict[str, Any], path: str) -> tuple[Any, ...]:
    return tuple(_decode(_get(value, "items", list, path), path))


def _bytes(value: dict[str, Any], path: str) -> bytes:
    return str(_get(_config(value, path), "value", str, path)).encode()


def _code(value: dict[str, Any], path: str) -> SerializedObject:
    return SerializedObject(CODE, None, None, {}, path)


SPECIAL: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "__keras_tensor__": _tensor,
    "__tensor__": _array,
    "__numpy__": _array,
    "__tuple__": _tuple,
    "TensorShape": _tuple,
    "__slice__": _slice,
    "__bytes__": _bytes,
    "__ellipsis__": lambda value, path: Ellipsis,
    CODE: _code,
    "function": _function,
}
