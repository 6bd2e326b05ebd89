"""Files in a folder, with labels from the names of its folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerac.ir.errors import CompileError, FormatError
from kerac.utils.numerical import to_categorical

Array = np.ndarray[Any, np.dtype[Any]]


class Listed(NamedTuple):
    """Paths, the label of each where there are labels, and the classes by their numbers."""

    paths: list[str]
    labels: Array | None
    class_names: list[str]

    def part(self, subset: str | None, validation_split: float | None) -> Listed:
        """The files to train with, the last ones to validate with, or all."""
        if not validation_split:
            return self
        cut = len(self.paths) - int(validation_split * len(self.paths))
        where = slice(cut) if subset == "training" else slice(cut, None)
        labels = None if self.labels is None else self.labels[where]
        return Listed(self.paths[where], labels, self.class_names)


def list_files(
    directory: str | os.PathLike[str],
    labels: Any,
    class_names: Sequence[str] | None,
    endings: tuple[str, ...],
    follow_links: bool,
) -> Listed:
    """All files below a folder with one of the endings, in alphabetical order.

    `labels` is "inferred" (each folder in it is a class), None, or a label for each file.
    """
    top = Path(directory)
    if not top.is_dir():
        raise FormatError(f"{top}: is no folder")
    if class_names is not None and not (isinstance(labels, str) and labels == "inferred"):
        raise CompileError("class_names is given, but labels are not inferred from folders")
    if isinstance(labels, str):
        if labels != "inferred":
            raise CompileError(f"labels is {labels!r}, but 'inferred', None or a list is expected")
        return _by_folders(top, class_names, endings, follow_links)
    paths = _below(top, endings, follow_links)
    if labels is None:
        return Listed(paths, None, [])
    if len(labels) != len(paths):
        raise CompileError(f"there are {len(labels)} labels, but {len(paths)} files in {top}")
    return Listed(paths, np.asarray(labels), [str(label) for label in sorted(set(labels))])


def _by_folders(
    top: Path, class_names: Sequence[str] | None, endings: tuple[str, ...], follow_links: bool
) -> Listed:
    folders = [x.name for x in top.iterdir() if x.is_dir() and not x.name.startswith(".")]
    known = sorted(folders)
    names = known if class_names is None else list(class_names)
    missing = [name for name in names if name not in known]
    if missing:
        raise CompileError(f"class_names holds {', '.join(missing)}, but {top} has {known}")
    paths, labels = [], []
    for number, name in enumerate(names):
        found = _below(top / name, endings, follow_links)
        paths += found
        labels += [number] * len(found)
    return Listed(paths, np.array(labels, np.int32), names)


def _below(folder: Path, endings: tuple[str, ...], follow_links: bool) -> list[str]:
    return [
        os.path.join(inner, name)
        for inner, _, names in sorted(os.walk(folder, followlinks=follow_links))
        for name in sorted(names)
        if name.lower().endswith(endings)
    ]


def shuffled(listed: Listed, seed: int) -> Listed:
    """The same files in Keras's order for a seed."""
    places = np.arange(len(listed.paths))
    np.random.RandomState(seed).shuffle(places)
    labels = None if listed.labels is None else listed.labels[places]
    return Listed([listed.paths[place] for place in places], labels, listed.class_names)


def check_split(
    validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None
) -> None:
    """Refuse what would mix files to train with and files to validate with."""
    if validation_split is not None and not 0 <= validation_split < 1:
        raise CompileError(f"validation_split is {validation_split}, but 0 to 1 is expected")
    if bool(validation_split) != (subset is not None):
        raise CompileError("validation_split and subset must be given together")
    if subset not in ("training", "validation", "both", None):
        raise CompileError(
            f"subset is {subset!r}, but 'training', 'validation' or 'both' is expected"
        )
    if validation_split and shuffle and seed is None:
        raise CompileError("files are shuffled and split, but without a seed both parts overlap")


def encoded(labels: Array, label_mode: str, class_names: list[str]) -> Array:
    """Labels as a loss reads them: i32[n], f32[n, 1] or f32[n, classes]."""
    if label_mode == "int":
        return labels.astype(np.int32)
    if label_mode == "categorical":
        return to_categorical(labels, len(class_names)).astype(np.float32)
    if label_mode != "binary":
        raise CompileError(
            f"label_mode is {label_mode!r}, but 'int', 'categorical', 'binary' or None is expected"
        )
    if len(class_names) != 2:
        raise CompileError(f"label_mode is 'binary', but the classes are {class_names}")
    return labels.astype(np.float32)[:, None]
