"""Everything that training depends on in one file: what was learned, and where in the data it was.

The file is a `.npz` of arrays without Python objects, written whole or not at all.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError
from kerac.saving.atomic import atomic_output
from kerac.training.loops import Position
from kerac.variable import Array, Variable


def write_backup(path: Path, model: Any, position: Position) -> None:
    """Write the state of the `fit` that goes on now, which is at `position`."""
    session, fit = model._session, model._fit
    variables, sums = _variables(model), session.sums()
    metadata = {
        "epoch": position.epoch,
        "batch": position.batch,
        "seed": getattr(fit.data.batches, "seed", None),
        "variables": [variable.path for variable in variables],
        "sums": [variable.path for variable in sums],
    }
    arrays: dict[str, Any] = {f"variable_{i}": v.current() for i, v in enumerate(variables)}
    arrays |= {f"sum_{i}": v.current() for i, v in enumerate(sums)}
    with atomic_output(path) as file:
        np.savez(file, metadata=np.array(json.dumps(metadata)), key=session.key, **arrays)


def restore_backup(path: Path, model: Any) -> None:
    """Let the `fit` that begins now go on from a file; nothing changes where that does not fit."""
    held = _read(path)
    try:
        metadata = json.loads(str(held["metadata"]))
        position = Position(int(metadata["epoch"]), int(metadata["batch"]))
        sums = {name: held[f"sum_{i}"] for i, name in enumerate(metadata["sums"])}
        values = [held[f"variable_{i}"] for i in range(len(metadata["variables"]))]
        key, seed = held["key"], metadata["seed"]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from None
    model.optimizer.build(model.trainable_weights)
    variables = _variables(model)
    _check(path, variables, values)
    for variable, value in zip(variables, values, strict=True):
        # NumPy keeps bfloat16 as bytes
        variable.assign(value.view(variable.current().dtype) if value.dtype.kind == "V" else value)
    session, fit = model._session, model._fit
    session.key[:] = key
    session.restore_sums(sums)
    if seed is not None and hasattr(fit.data.batches, "seed"):
        fit.data.batches.seed = seed
    fit.position = position


def _variables(model: Any) -> list[Variable]:
    return [*model.weights, *model.optimizer.variables]


def _read(path: Path) -> Mapping[str, Array]:
    try:
        with path.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                raise zipfile.BadZipFile("it is no whole .npz file")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> CompileError:
    return CompileError(
        f"{path}: is no backup of training, or damaged: {error}",
        remedy="Remove it to begin anew.",
    )


def _check(path: Path, variables: list[Variable], values: list[Array]) -> None:
    shapes = [variable.shape for variable in variables]
    if shapes != [value.shape for value in values]:
        raise CompileError(
            f"{path}: is the backup of another model or optimizer: it holds {len(values)} "
            f"variables, but this model and its optimizer have {len(variables)}"
            + (" of other shapes" if len(values) == len(variables) else ""),
            remedy="Give this training a backup_dir of its own.",
        )
