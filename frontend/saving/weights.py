"""How weights in a file are compared with the variables of a model, and read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from kerac.ir.errors import FormatError
from kerac.saving.hdf5 import Dataset
from kerac.saving.hdf5_messages import FLOATS, dtype_by_name

MOST_SHOWN = 30


class SavedVariable(Protocol):
    """What the file needs to know of a variable; `trainable` says how it was made."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def trainable(self) -> bool: ...


@dataclass
class Problems:
    """Everything that does not fit, to be raised at once."""

    label: str
    lines: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def add(self, layer: str, fact: str) -> None:
        """Note one problem of a layer."""
        self.lines.append(f"{layer or 'the model itself'}: {fact}")

    def raise_if_any(self) -> None:
        """Raise one error with all problems."""
        if not self.lines:
            return
        details = self.lines[:MOST_SHOWN]
        if len(self.lines) > MOST_SHOWN:
            details.append(f"and {len(self.lines) - MOST_SHOWN} more")
        if self.unused:
            more = ", ..." if len(self.unused) > 5 else ""
            details.append(f"nothing in the model takes these: {', '.join(self.unused[:5])}{more}")
        count = "1 weight" if len(self.lines) == 1 else f"{len(self.lines)} weights"
        raise FormatError(
            f"{self.label}: {count} that the model expects and the file do not fit",
            details=tuple(details),
            remedy="Load weights into the model that they were saved from.",
        )


def check_variable(
    variable: SavedVariable, dataset: Dataset | None, layer: str, place: str, problems: Problems
) -> bool:
    """Whether a dataset can become the value of a variable; if not, note why."""
    shape = tuple(variable.shape)
    if dataset is None:
        problems.add(layer, f"{variable.name} of shape {shape} is missing; it should be {place}")
    elif dataset.shape != shape:
        problems.add(
            layer, f"{variable.name} has shape {shape}, but {place} has shape {dataset.shape}"
        )
    elif not _same_kind(dtype_by_name(variable.dtype), dataset.dtype):
        problems.add(layer, f"{variable.name} is {variable.dtype}, but {place} is {dataset.dtype}")
    else:
        return True
    return False


def _same_kind(first: np.dtype[Any], second: np.dtype[Any]) -> bool:
    """Numbers may change their width, but not become another kind of number."""

    def kind(dtype: np.dtype[Any]) -> str:
        if dtype.kind == "f" or dtype.name in FLOATS.values():
            return "float"
        return "integer" if dtype.kind in "iu" else dtype.kind

    return kind(first) == kind(second)


def read_values(
    matches: Iterable[tuple[SavedVariable, Dataset]], label: str
) -> Iterator[tuple[SavedVariable, np.ndarray[Any, np.dtype[Any]]]]:
    """Read arrays one by one, each in the dtype of its variable."""
    for variable, dataset in matches:
        stored = dataset.read()
        value = stored.astype(dtype_by_name(variable.dtype), copy=False)
        if value.dtype.kind in "iu" and not np.array_equal(value, stored):
            raise FormatError(
                f"{label}: {dataset.path} holds integers that do not fit into {variable.dtype}"
            )
        yield variable, value
