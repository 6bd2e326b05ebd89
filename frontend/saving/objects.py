"""Objects of any kind as plain data, and back: layers, losses, metrics, optimizers and their parts.

A description can only name what kerac has or what is given in code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import BuiltinFunctionType, FunctionType
from typing import Any

from kerac.convert import plain
from kerac.ir.errors import CompileError, FormatError, UnsupportedError
from kerac.registration import (
    custom_object_scope,
    get_registered_name,
    get_registered_object,
    given_classes,
    written_function,
)
from kerac.saving.config import CODE, SerializedFunction, SerializedObject, decode_members

# The modules whose `get` makes an object from its description; schedules come before optimizers.
KINDS = {
    "schedules": ("kerac.optimizers.schedules", "deserialize"),
    **{
        name: (f"kerac.{name}", "get")
        for name in (
            *("activations", "constraints", "initializers", "losses", "metrics", "optimizers"),
            "regularizers",
        )
    },
}
FUNCTIONS = ("activations", "losses", "metrics")


def serialize_keras_object(obj: Any) -> Any:
    """Plain data that describe an object, or a structure of objects, as Keras writes them."""
    if obj is None or isinstance(obj, str | int | float | bool):
        return obj
    if isinstance(obj, list | tuple):
        return type(obj)(map(serialize_keras_object, obj))
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode()}}
    if isinstance(obj, FunctionType | BuiltinFunctionType):
        return written_function(obj)
    return _object_data(obj)


def _object_data(obj: Any) -> Any:
    cls = type(obj)
    if hasattr(obj, "serialize"):
        written = plain(obj.serialize())
    elif hasattr(obj, "get_config"):
        config = serialize_keras_object(obj.get_config())
        written = {"module": _module_of(cls), "class_name": cls.__name__, "config": config}
    else:
        written = plain(obj)
        if written is obj:
            raise CompileError(
                f"{obj!r:.60} is serialized, but has no get_config that says how to make it again"
            )
        return written
    if not cls.__module__.startswith("kerac."):
        written |= {"module": _module_of(cls), "registered_name": get_registered_name(cls)}
    compiled = obj.get_compile_config() if hasattr(obj, "get_compile_config") else None
    if compiled is not None:
        written["compile_config"] = plain(compiled)
    return {"registered_name": None, **written}


def deserialize_keras_object(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
) -> Any:
    """What `serialize_keras_object` or Keras described; tuples come back as lists.

    `safe_mode` changes nothing: code in a description is never run.
    """
    with custom_object_scope(custom_objects):
        return _read(config)


def _read(config: Any) -> Any:
    if isinstance(config, str):
        return given_classes().get(config, config)
    if config is None or isinstance(config, int | float | bool):
        return config
    if isinstance(config, list | tuple):
        return [_read(item) for item in config]
    if not isinstance(config, Mapping):
        raise CompileError(f"{config!r:.60} does not describe an object")
    if "class_name" not in config or "config" not in config:
        return {key: _read(value) for key, value in config.items()}
    found = decode_members({"object": dict(config)})["object"]
    if isinstance(found, SerializedFunction):
        return _function(found.name)
    if not isinstance(found, SerializedObject):
        return found
    return _object(dict(config), found)


def _object(config: dict[str, Any], described: SerializedObject) -> Any:
    """The object of a description, built and compiled as that says."""
    if described.class_name == CODE:
        raise UnsupportedError("a lambda is described, but code in a description is never run")
    given = next(
        (
            found
            for name in (described.registered_name, described.kind, described.class_name)
            if name and (found := get_registered_object(name)) is not None
        ),
        None,
    )
    if given is None:
        return _known(config, described)
    if not hasattr(given, "from_config"):
        raise CompileError(f"{described.class_name}: is given, but has no from_config")
    made = given.from_config(config["config"] or {})
    if config.get("build_config") and hasattr(made, "build_from_config"):
        made.build_from_config(config["build_config"])
    if config.get("compile_config") and hasattr(made, "compile_from_config"):
        made.compile_from_config(config["compile_config"])
    return made


def _known(config: dict[str, Any], described: SerializedObject) -> Any:
    """An object of a class that kerac has."""
    from kerac.layers.deserialize import deserialize_layer, known_layers

    parts = (described.module or "").split(".")
    for name, (module, function) in KINDS.items():
        if name in parts:
            return _call(module, function, config)
    if described.class_name == "SeedGenerator":
        from kerac.random import SeedGenerator

        return SeedGenerator.from_config(described.config)
    if described.kind in known_layers() or described.module is not None:
        made = deserialize_layer(config)
        if described.compile_config and hasattr(made, "compile_from_config"):
            made.compile_from_config(described.compile_config)
        return made
    for module, function in KINDS.values():  # older files do not say where a class is
        try:
            return _call(module, function, config)
        except (UnsupportedError, FormatError):
            continue
    raise UnsupportedError(f"there is no class {described.class_name!r} to make an object of")


def _call(module: str, function: str, config: dict[str, Any]) -> Any:
    make: Callable[[Any], Any] = getattr(import_module(module), function)
    return make(config)


def _function(name: str) -> Any:
    given = get_registered_object(name)
    if given is not None:
        return given
    for module in FUNCTIONS:
        try:
            return _call(f"kerac.{module}", "get", name)  # type: ignore[arg-type]
        except CompileError:
            continue
    raise UnsupportedError(
        f"there is no function {name!r}", remedy="Pass it in custom_objects, by its name."
    )


def _module_of(cls: type) -> str | None:
    """Where Keras has a class of ours, or where a class of a user is."""
    if cls.__module__.startswith("kerac."):
        return str(getattr(cls, "module", cls.__module__))
    return None if cls.__module__ == "__main__" else cls.__module__
