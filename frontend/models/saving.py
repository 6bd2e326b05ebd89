"""Models from files and to files. Reading never runs code that a file holds."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerac.convert import plain
from kerac.ir.errors import CompileError, FormatError
from kerac.layers.base import Layer
from kerac.layers.deserialize import (
    custom_objects as custom,
)
from kerac.layers.deserialize import decoded, deserialize_layer, kinds_known, refuse_dtypes
from kerac.layers.sharing import sharing
from kerac.models.model import Model
from kerac.saving.config import SerializedObject, decode_config
from kerac.saving.json_text import parse_json
from kerac.saving.layer_classes import refuse_unknown_layers
from kerac.saving.limits import DEFAULT_LIMITS
from kerac.variable import Array, Variable

if TYPE_CHECKING:
    from kerac.saving.layout import Held, SavedNode
    from kerac.saving.model_file import ModelFile, Weights
    from kerac.saving.source import FileSource

# The version of Keras whose format is written.
KERAS_VERSION = "3.8.0"


class SavedLayer:
    """A layer as the readers and writers of weights see it."""

    def __init__(self, layer: Layer, known: dict[Layer, SavedLayer]) -> None:
        known[layer] = self
        self.layer = layer
        self.class_name = type(layer).__name__
        self.name = str(layer.name)
        self.trainable = layer.trainable
        self.variables: Sequence[Variable] = layer.own_weights
        self.named_variables: Mapping[str, Variable] = layer.named_variables()
        self.children: dict[str, Held] = {
            attribute: saved_members(held, known) for attribute, held in layer.children().items()
        }


def saved(layer: Layer, known: dict[Layer, SavedLayer] | None = None) -> SavedLayer:
    """One view for each layer, however often it occurs."""
    known = {} if known is None else known
    return known[layer] if layer in known else SavedLayer(layer, known)


def saved_members(held: Any, known: dict[Layer, SavedLayer]) -> Held:
    """The views of what an attribute holds; dictionaries are lists of their values."""
    if isinstance(held, Layer):
        return saved(held, known)
    return [saved_members(x, known) for x in (held.values() if isinstance(held, dict) else held)]


class SavedOptimizer:
    """An optimizer as the readers and writers of weights see it."""

    trainable = False

    def __init__(self, optimizer: Any) -> None:
        self.class_name = type(optimizer).__name__
        self.name = str(optimizer.name)
        self.variables: Sequence[Variable] = optimizer.variables
        self.named_variables: Mapping[str, Variable] = {}
        inner = getattr(optimizer, "inner_optimizer", None)
        self.children: dict[str, SavedNode] = {}
        if inner is not None:
            self.children["inner_optimizer"] = SavedOptimizer(inner)


def load_model(
    path: FileSource,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Read a `.keras` archive, a full-model `.h5` file or a model's JSON, as data alone.

    `custom_objects` gives layers, losses and metrics in code in place of what kerac does not know.
    With `compile`, a model that was saved compiled trains on where it stopped.
    """
    del safe_mode  # nothing in a file is ever run
    from kerac.saving.model_file import read_model_file

    file = read_model_file(path)
    with custom(custom_objects):
        model = build_model(file.config, file.label)
        if file.weights is not None:
            assign_weights(model, file.weights)
        load_assets(model, file)
        if compile and file.config.compile_config:
            restore_training(model, file)
    return model


def restore_training(model: Model, file: ModelFile) -> None:
    """Compile a model as its file says, with the state of the optimizer; warn where that fails."""
    try:
        model.compile_from_config(file.config.compile_config)
    except Exception as error:  # the layers and weights are whole, whatever else the file holds
        warnings.warn(
            f"{file.label}: the model is loaded, but is not compiled: {error}\n"
            "Call model.compile(optimizer, loss) to train it, or load it with compile=False.",
            stacklevel=3,
        )
        return
    if file.weights is not None:
        restore_optimizer(model, file.weights, file.label)


def restore_optimizer(model: Model, weights: Weights, label: str) -> None:
    """Give the optimizer the state in a file; warn where that is another one's."""
    if model.optimizer is None or not weights.optimizer_size:
        return
    # before its first step an optimizer has no state for each weight
    if len(model.optimizer.variables) != weights.optimizer_size:
        model.optimizer.build(model.trainable_weights)
    try:
        values = list(weights.optimizer_values(SavedOptimizer(model.optimizer)))
    except FormatError as error:
        warnings.warn(
            f"{label}: the weights are read, but the optimizer begins anew: {error}",
            stacklevel=4,
        )
        return
    for variable, value in values:
        if isinstance(variable, Variable):
            variable.assign(value)


def model_from_json(text: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a model from what `to_json` wrote, with new weights."""
    label = "the JSON of a model"
    config = decode_config(parse_json(text.encode(), label, DEFAULT_LIMITS), label)
    with custom(custom_objects):
        return build_model(config, label)


def build_model(described: SerializedObject, label: str) -> Model:
    """The model that a file describes; everything it uses that is not known is refused at once."""
    refuse_unknown_layers(described, kinds_known(described), label)
    refuse_dtypes(described, label)
    try:
        with sharing():
            model = deserialize_layer(described)
    except CompileError as error:
        raise error.with_details(thing=label) from None
    if isinstance(model, Model) and not model.built and described.build_config:
        model.build_from_config(decoded(described.build_config))
    if not isinstance(model, Model):
        raise FormatError(f"{label}: describes a {described.class_name}, but a model is expected")
    return model


def load_weights(model: Model, path: FileSource, skip_mismatch: bool = False) -> None:
    """Read the weights of a model from a `.weights.h5`, `.h5` or `.keras` file.

    The optimizer of a compiled model takes its state from there, too, where the file holds one.
    """
    if skip_mismatch:
        raise CompileError(
            f"{model.name}: skip_mismatch=True is asked for, "
            "but weights are read completely or not at all"
        )
    if not model.built:
        raise CompileError(
            f"{model.name}: is not built, so it has no weights to load",
            remedy="Give the model an Input, or call it on data first.",
        )
    from kerac.saving.model_file import read_weights_file

    weights = read_weights_file(path)
    assign_weights(model, weights)
    restore_optimizer(model, weights, weights.label)


def assign_weights(model: Model, weights: Weights) -> None:
    """Give each variable its value; nothing is changed where one does not fit."""
    values = list(weights.values(saved(model)))
    for variable, value in values:
        if isinstance(variable, Variable):
            variable.take(value)


def save_model(model: Model, path: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write a `.keras` archive, or an `.h5` file for older versions of Keras.

    The file of a compiled model says how it is trained, and how far.
    """
    from kerac.saving.write import write_archive
    from kerac.saving.write_legacy import write_legacy_model

    is_legacy = os.fspath(path).endswith(".h5")
    _check_path(model, path, ".h5" if is_legacy else ".keras", overwrite)
    metadata = {
        "keras_version": KERAS_VERSION,
        "date_saved": datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    with sharing():
        config: dict[str, Any] = plain(model.serialize())
    root = saved(model)
    training = _training_config(model)
    optimizer = None
    if training is not None:
        config["compile_config"] = training
        if model.optimizer is not None:
            optimizer = SavedOptimizer(model.optimizer)
    files = {
        f"{place}{name}": text
        for place, layer in _asset_places(root)
        for name, text in layer.assets().items()
    }
    if is_legacy:
        if files:
            raise CompileError(
                f"{os.fspath(path)}: .h5 files hold no vocabularies, but {model.name} has some",
                remedy="Save it as .keras.",
            )
        write_legacy_model(path, config, KERAS_VERSION, root, optimizer, _value)
        return
    if optimizer is not None:
        root.children["optimizer"] = optimizer
    write_archive(path, config, metadata, root, _value, files)


def _asset_places(root: SavedLayer) -> Iterator[tuple[str, Any]]:
    """Where each layer that has a vocabulary keeps it."""
    from kerac.saving.layout import keras_layout

    for group in keras_layout(root):
        layer = getattr(group.node, "layer", None)
        if hasattr(layer, "assets"):
            yield group.path.removesuffix("vars"), layer


def load_assets(model: Model, file: ModelFile) -> None:
    """Give layers the vocabularies that the file holds."""
    if not file.assets:
        return
    for place, layer in _asset_places(saved(model)):
        found = {
            name.removeprefix(place): text
            for name, text in file.assets.items()
            if name.startswith(place)
        }
        try:
            layer.load_assets(found)
        except CompileError as error:
            raise error.with_details(thing=file.label) from None


def _training_config(model: Model) -> dict[str, Any] | None:
    """What `compile` was given, or None with a warning where a file cannot say it."""
    try:
        return model.get_compile_config()
    except CompileError as error:
        warnings.warn(
            f"{model.name}: is saved without its optimizer and losses: {error}", stacklevel=4
        )
        return None


def save_weights(model: Model, path: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write a `.weights.h5` file, with the state of the optimizer of a compiled model."""
    from kerac.saving.write import write_weights

    _check_path(model, path, ".weights.h5", overwrite)
    root = saved(model)
    if model.optimizer is not None:
        root.children["optimizer"] = SavedOptimizer(model.optimizer)
    write_weights(path, root, _value)


def _value(variable: Any) -> Array:
    array: Array = variable.array
    return array


def _check_path(
    model: Model, path: str | os.PathLike[str], ending: str, overwrite: bool
) -> None:
    if not model.built:
        raise CompileError(
            f"{model.name}: is not built, so it has no weights to save",
            remedy="Give the model an Input, or call it on data first.",
        )
    if not os.fspath(path).endswith(ending):
        raise CompileError(f"{os.fspath(path)}: must end in {ending}, but does not")
    if not overwrite and Path(path).exists():
        raise CompileError(f"{os.fspath(path)}: exists already, and overwrite=False is given")
