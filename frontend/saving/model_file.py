"""Any model file that Keras writes: its description, and its weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerac.ir.errors import FormatError
from kerac.saving import archive
from kerac.saving.config import SerializedObject, decode_config
from kerac.saving.file_kind import FileKind, file_kind
from kerac.saving.hdf5 import Group, read_tree
from kerac.saving.json_text import parse_json
from kerac.saving.layout import (
    OLD_CONTAINER,
    OPTIMIZER,
    SavedNode,
    match_optimizer,
    match_variables,
)
from kerac.saving.legacy import (
    match_legacy_optimizer,
    match_legacy_variables,
    modern_training_config,
    name_list,
)
from kerac.saving.limits import DEFAULT_LIMITS, Limits
from kerac.saving.source import FileSource, source_name, unreadable
from kerac.saving.weights import SavedVariable, read_values

LEGACY_WEIGHTS = "model_weights"


@dataclass(frozen=True)
class Weights:
    """The weights in a file. `label` is how messages call it."""

    label: str
    tree: Group
    is_legacy: bool
    legacy_optimizer: Group | None = None

    def values(
        self, root: SavedNode
    ) -> Iterator[tuple[SavedVariable, np.ndarray[Any, np.dtype[Any]]]]:
        """Yield each variable of a model with its value.

        Before the first one, all shapes and dtypes are compared; whatever is missing or does not
        fit is reported in one error.
        """
        match = match_legacy_variables if self.is_legacy else match_variables
        return read_values(match(root, self.tree, self.label), self.label)

    @property
    def optimizer_size(self) -> int:
        """The number of arrays of the optimizer's own state."""
        if self.is_legacy:
            held = self.legacy_optimizer
            return 0 if held is None else len(name_list(held, "weight_names") or [])
        group = self.tree.groups.get(OPTIMIZER)
        own = None if group is None else group.groups.get("vars")
        return 0 if own is None else len(own.datasets)

    def optimizer_values(
        self, optimizer: SavedNode
    ) -> Iterator[tuple[SavedVariable, np.ndarray[Any, np.dtype[Any]]]]:
        """Yield each variable of an optimizer with its value, as `values` does for a model."""
        if self.legacy_optimizer is not None:
            matches = match_legacy_optimizer(optimizer, self.legacy_optimizer, self.label)
            return read_values(matches, self.label)
        return read_values(match_optimizer(optimizer, self.tree, self.label), self.label)


@dataclass(frozen=True)
class ModelFile:
    """What a model file says. `weights` is None for JSON, which describes a model only."""

    label: str
    kind: FileKind
    config: SerializedObject
    keras_version: str | None
    weights: Weights | None
    assets: Mapping[str, str] = field(default_factory=dict)
    """Vocabularies by the paths that `keras_layout` gives to layers, and their names."""


def read_model_file(source: FileSource, limits: Limits = DEFAULT_LIMITS) -> ModelFile:
    """Read a `.keras` archive or folder, a full-model `.h5` file or a model's JSON."""
    label = source_name(source)
    kind = file_kind(source, limits)
    match kind:
        case FileKind.HDF5:
            return _read_legacy_model(source, label, limits)
        case FileKind.JSON:
            config = parse_json(_read_text(source, limits), label, limits)
            version = config.get("keras_version")
            return ModelFile(label, kind, decode_config(config, label), _version(version), None)
    members = _read_members(source, kind, limits)
    config_label = f"{label}:{archive.CONFIG}"
    config = parse_json(members.config, config_label, limits)
    metadata = {}
    if members.metadata is not None:
        metadata = parse_json(members.metadata, f"{label}:{archive.METADATA}", limits)
    tree = read_tree(members.weights, limits, label=members.weights_label)
    weights = Weights(members.weights_label, tree, is_legacy=False)
    version = _version(metadata.get("keras_version"))
    decoded = decode_config(config, config_label)
    return ModelFile(label, kind, decoded, version, weights, members.assets)


def read_weights_file(source: FileSource, limits: Limits = DEFAULT_LIMITS) -> Weights:
    """Read the weights in a `.weights.h5`, `.h5` or `.keras` file of any version."""
    label = source_name(source)
    match kind := file_kind(source, limits):
        case FileKind.JSON:
            raise FormatError(
                f"{label}: is JSON, which describes a model without weights",
                remedy="Give the file that model.save_weights(path) wrote.",
            )
        case FileKind.HDF5:
            return _weights_in(read_tree(source, limits), label)
    members = _read_members(source, kind, limits)
    tree = read_tree(members.weights, limits, label=members.weights_label)
    return Weights(members.weights_label, tree, is_legacy=False)


def _read_members(source: FileSource, kind: FileKind, limits: Limits) -> archive.Archive:
    if kind is FileKind.FOLDER and not isinstance(source, bytes):
        return archive.read_folder(source, limits)
    return archive.read_archive(source, limits)


def _weights_in(tree: Group, label: str) -> Weights:
    if LEGACY_WEIGHTS in tree.groups:
        optimizer = tree.groups.get("optimizer_weights")
        return Weights(label, tree.groups[LEGACY_WEIGHTS], True, optimizer)
    if any(re.match(r"layer_names\d*$", name) for name in tree.attributes):
        return Weights(label, tree, is_legacy=True)
    # Paths with backslashes, as TensorFlow wrote them on Windows, make names of one piece.
    parts = {re.split(r"[/\\]", name)[0] for name in tree.groups}
    if parts & {"layers", "vars", OLD_CONTAINER} or any(
        "vars" in group.groups for group in tree.walk()
    ):
        return Weights(label, tree, is_legacy=False)
    found = ", ".join([*tree.groups, *tree.datasets][:10])
    raise FormatError(
        f"{label}: is an HDF5 file, but not one that Keras wrote",
        details=(f"it holds: {found or 'nothing'}",),
        remedy="Save with model.save(path) or model.save_weights(path).",
    )


def _read_legacy_model(source: FileSource, label: str, limits: Limits) -> ModelFile:
    tree = read_tree(source, limits)
    text = tree.attributes.get("model_config")
    if text is None:
        weights = _weights_in(tree, label)
        raise FormatError(
            f"{label}: holds weights only, but no description of the model",
            details=(f"weights of {len(weights.tree.groups)} groups",),
            remedy="Build the model first, then call model.load_weights(path).",
        )
    if not isinstance(text, str):
        raise FormatError(f"{label}: model_config is not text, but JSON is expected")
    config_label = f"{label}:model_config"
    config = decode_config(parse_json(text, config_label, limits), config_label)
    version = _version(tree.attributes.get("keras_version"))
    if version is not None and version.startswith("1."):
        raise FormatError(
            f"{label}: was written by Keras {version}, but versions from 2 on are read",
            remedy="Load it with Keras 2 and save it from there.",
        )
    weights = _weights_in(tree, label)
    training = tree.attributes.get("training_config")
    if isinstance(training, str):
        found = parse_json(training, f"{label}:training_config", limits)
        config = replace(config, compile_config=modern_training_config(found))
    return ModelFile(label, FileKind.HDF5, config, version, weights)


def _read_text(source: FileSource, limits: Limits) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        with open(source, "rb") as file:
            # One byte more than allowed, for the error to be raised.
            return file.read(limits.config_bytes + 1)
    except OSError as error:
        raise unreadable(source, error) from None


def _version(value: object) -> str | None:
    return value if isinstance(value, str) else None
