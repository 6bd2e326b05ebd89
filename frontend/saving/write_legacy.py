"""Writing `.h5` files of whole models, as Keras wrote them before version 3 and reads them yet."""

# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.saving.atomic import atomic_output
from kerac.saving.layout import SavedNode, named_children
from kerac.saving.legacy import TOP_LEVEL, legacy_order, owned_variables
from kerac.saving.weights import SavedVariable
from kerac.variable import Array

ATTRIBUTE_LIMIT = 64512  # bytes that the header of an HDF5 object holds


def write_legacy_model(
    path: str | os.PathLike[str],
    config: dict[str, Any],
    keras_version: str,
    root: SavedNode,
    optimizer: SavedNode | None,
    value_of: Callable[[SavedVariable], Array],
) -> None:
    """Write a model; `config` is the serialized model with its compile config."""
    import h5py

    training = config.pop("compile_config", None)
    texts = {"keras_version": keras_version, "backend": "tensorflow"}
    texts["model_config"] = json.dumps({k: config[k] for k in ("class_name", "config")})
    if training is not None:
        training["optimizer_config"] = training.pop("optimizer")
        texts["training_config"] = json.dumps(training)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as tree:
        for name, text in texts.items():
            tree.attrs[name] = text.encode()
        _write_layers(tree.create_group("model_weights"), keras_version, root, value_of)
        if optimizer is not None:
            group = tree.create_group("optimizer_weights")
            _write_variables(group, owned_variables(optimizer), value_of)
    with atomic_output(path) as file:
        file.write(buffer.getbuffer())


def _write_layers(
    group: Any, keras_version: str, root: SavedNode, value_of: Callable[[SavedVariable], Array]
) -> None:
    layers = [child for attribute, child in named_children(root) if attribute == "layers"]
    _write_names(group, "layer_names", [layer.name for layer in layers])
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = keras_version.encode()
    for layer in layers:
        _write_variables(group.create_group(layer.name), legacy_order(layer), value_of)
    _write_variables(group.create_group(TOP_LEVEL), list(root.variables), value_of)


def _write_variables(
    group: Any, variables: Sequence[SavedVariable], value_of: Callable[[SavedVariable], Array]
) -> None:
    names: dict[str, SavedVariable] = {}
    for variable in variables:
        path = getattr(variable, "path", variable.name)
        name, number = path, 0
        while name in names:
            number += 1
            name = f"{path}_{number}"
        names[name] = variable
    _write_names(group, "weight_names", list(names))
    for name, variable in names.items():
        value = np.asarray(value_of(variable))
        if value.dtype.name == "bfloat16":
            raise CompileError(
                f"{name}: is bfloat16, but .h5 files have no such type",
                remedy="Save as .keras.",
            )
        group.create_dataset(name, data=value)


def _write_names(group: Any, attribute: str, names: list[str]) -> None:
    """A list of names, in as many attributes as it needs."""
    texts = np.array([name.encode() for name in names] or np.zeros(0, "S1"))
    count = -(-max(texts.nbytes, 1) // ATTRIBUTE_LIMIT)
    if count == 1:
        group.attrs[attribute] = texts
        return
    for number, part in enumerate(np.array_split(texts, 2 * count)):
        group.attrs[f"{attribute}{number}"] = part
