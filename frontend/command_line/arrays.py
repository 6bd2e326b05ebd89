"""Arrays from files and to files, by the names of a model's inputs and outputs."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from kerac.command_line.console import write
from kerac.ir import FormatError
from kerac.runtime import TensorInfo

Array = np.ndarray[Any, Any]

inputs_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="An array in a .npy file, several in an .npz file, or - for stdin. For each input one.",
)


def read_inputs(tensors: Sequence[TensorInfo], texts: tuple[str, ...]) -> dict[str, Array]:
    """The array of each input from `[NAME=]FILE` texts; those without a name go by order."""
    names = [tensor.name for tensor in tensors]
    found: dict[str, Array] = {}
    unnamed: list[tuple[str, Array]] = []
    for text in texts:
        name, equals, file = text.partition("=")
        if equals and name in names:
            _put(found, name, _single(file), text)
            continue
        if equals and not Path(text).exists() and Path(file).exists():
            raise click.BadParameter(
                f"there is no input {name!r}{_wanted(tensors)}", param_hint="--input"
            )
        loaded = _load(text)
        if isinstance(loaded, dict) and set(loaded) <= set(names):
            for name, array in loaded.items():
                _put(found, name, array, text)
        else:
            unnamed.append((text, _single(text, loaded)))
    free = [name for name in names if name not in found]
    for text, array in unnamed:
        if not free:
            raise click.BadParameter(
                f"{text} is one too many{_wanted(tensors)}", param_hint="--input"
            )
        found[free.pop(0)] = array
    if free:
        raise click.UsageError(f"no --input for {', '.join(free)}{_wanted(tensors)}")
    return found


def write_outputs(
    tensors: Sequence[TensorInfo], arrays: Sequence[Array], texts: tuple[str, ...]
) -> list[Path]:
    """Write the outputs to `[NAME=]FILE`s, or show them where no file is named."""
    if not texts:
        for tensor, array in zip(tensors, arrays, strict=True):
            shape = ", ".join(map(str, array.shape))
            write(f"{tensor.name}: {tensor.dtype}[{shape}]\n{np.array2string(array)}")
        return []
    by_name = dict(zip((tensor.name for tensor in tensors), arrays, strict=True))
    written: list[Path] = []
    for text in texts:
        name, equals, file = text.partition("=")
        if equals and name in by_name:
            _save(file, {name: by_name[name]}, written)
        else:
            _save(text, by_name, written)
    return written


def _save(file: str, arrays: dict[str, Array], written: list[Path]) -> None:
    from kerac.saving.atomic import atomic_output

    path = Path(file)
    if path.suffix not in (".npy", ".npz") and file != "-":
        raise click.BadParameter(f"{file} must end in .npy or .npz", param_hint="--output")
    if path.suffix != ".npz" and len(arrays) > 1:
        raise click.BadParameter(
            f"the outputs {', '.join(arrays)} do not go into one .npy file; "
            "name an .npz file, or NAME=FILE for each",
            param_hint="--output",
        )
    buffer = io.BytesIO()
    if path.suffix == ".npz":
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
    else:
        np.save(buffer, next(iter(arrays.values())))
    if file == "-":
        sys.stdout.buffer.write(buffer.getvalue())
        sys.stdout.buffer.flush()
        return
    with atomic_output(path) as output:
        output.write(buffer.getvalue())
    written.append(path)


def _single(file: str, loaded: Array | dict[str, Array] | None = None) -> Array:
    loaded = _load(file) if loaded is None else loaded
    if isinstance(loaded, np.ndarray):
        return loaded
    if len(loaded) != 1:
        raise FormatError(f"{file}: holds the arrays {', '.join(loaded)}, but one is expected")
    return next(iter(loaded.values()))


def _load(file: str) -> Array | dict[str, Array]:
    try:
        with (
            io.BytesIO(sys.stdin.buffer.read()) if file == "-" else Path(file).open("rb") as source
        ):
            loaded = np.load(source, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            return {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise FormatError(f"{file}: cannot be read: {error.strerror or error}") from None
    except Exception:
        # NumPy reports damaged files by whatever error its parts raise
        raise FormatError(
            f"{file}: is no array file of NumPy, or holds Python's objects",
            remedy="Write numbers with numpy.save.",
        ) from None


def _put(found: dict[str, Array], name: str, array: Array, text: str) -> None:
    if name in found:
        raise click.BadParameter(
            f"{text}: there is an array for {name} already", param_hint="--input"
        )
    found[name] = array


def _wanted(tensors: Sequence[TensorInfo]) -> str:
    rows = "".join(f"\n  {tensor.name}: {tensor.type}" for tensor in tensors)
    return f"; the model takes{rows}"
