"""Writing model files that Keras loads."""

# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np

from kerac.ir.errors import CompileError
from kerac.saving.archive import ASSETS, CONFIG, METADATA, WEIGHTS
from kerac.saving.atomic import atomic_output
from kerac.saving.layout import SavedGroup, SavedNode, keras_layout
from kerac.saving.weights import SavedVariable

Array = np.ndarray[Any, np.dtype[Any]]
# Zip cannot say an earlier date; a fixed one makes equal models equal files.
DATE = (1980, 1, 1, 0, 0, 0)


def write_archive(
    path: str | os.PathLike[str],
    config: dict[str, Any],
    metadata: dict[str, Any],
    root: SavedNode,
    value_of: Callable[[SavedVariable], Array],
    assets: Mapping[str, str] | None = None,
) -> None:
    """Write a `.keras` archive; `value_of` returns the array of a variable.

    `config` and `metadata` must hold what JSON can: `config` is the serialized model, and
    `metadata` at least `keras_version` and `date_saved`.
    """
    texts = {METADATA: _json(metadata, METADATA), CONFIG: _json(config, CONFIG)}
    with atomic_output(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, text in texts.items():
            archive.writestr(_member(name), text)
        buffer = io.BytesIO()
        write_groups(buffer, keras_layout(root), value_of)
        # Stored, as Keras does: weights hardly compress.
        archive.writestr(_member(WEIGHTS), buffer.getbuffer())
        for name, text in (assets or {}).items():
            archive.writestr(_member(f"{ASSETS}{name}"), text)


def write_weights(
    path: str | os.PathLike[str], root: SavedNode, value_of: Callable[[SavedVariable], Array]
) -> None:
    """Write a `.weights.h5` file, as `model.save_weights` does."""
    buffer = io.BytesIO()
    write_groups(buffer, keras_layout(root), value_of)
    with atomic_output(path) as file:
        file.write(buffer.getbuffer())


def write_groups(
    file: BinaryIO, groups: Iterable[SavedGroup], value_of: Callable[[SavedVariable], Array]
) -> None:
    """Write variables as Keras lays them out in HDF5."""
    import h5py

    with h5py.File(file, "w") as tree:
        for saved in groups:
            group = tree.create_group(saved.path)
            group.attrs["name"] = saved.node.name
            for name, variable in saved.datasets.items():
                value = np.asarray(value_of(variable))
                if value.shape != tuple(variable.shape):
                    raise CompileError(
                        f"{saved.layer_path}: {variable.name} has shape {tuple(variable.shape)}, "
                        f"but its value has shape {value.shape}"
                    )
                dataset = group.create_dataset(name, data=value)
                if value.dtype.name == "bfloat16":
                    # HDF5 has no such type and keeps two bytes each; Keras tells them by this.
                    dataset.attrs["dtype"] = "bfloat16"


def _json(value: dict[str, Any], name: str) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CompileError(
            f"{name}: cannot be written: {error}",
            remedy="A config holds texts, finite numbers, lists and dictionaries with text keys.",
        ) from None


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, DATE)
