"""What a MODEL or LIB argument names, told from the file itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerac.command_line.console import progress
from kerac.ir import FormatError, Graph, parse

if TYPE_CHECKING:
    from kerac.runtime import Executable

IR_SUFFIX = ".kir"

model_argument = click.argument("model", type=click.Path(path_type=Path))

dims_option = click.option(
    "--dim",
    "dims",
    multiple=True,
    metavar="NAME=LENGTH",
    help="Fix a symbolic dimension, such as --dim T=80. Can be given several times.",
)
weights_option = click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read the weights from another file: .weights.h5, .h5 or .keras.",
)
batch_option = click.option(
    "--batch", type=click.IntRange(min=1), help="Fix the batch size, for more speed at that size."
)


def is_library(path: Path) -> bool:
    """Whether a file is a compiled library."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False  # whoever reads it says what is wrong


def load_graph(path: Path, weights: Path | None = None, numbers_matter: bool = True) -> Graph:
    """The graph of a model file, or of IR text in a file that ends in .kir."""
    if path.suffix == IR_SUFFIX:
        return _read_text(path)
    with progress(f"reading {path}"):
        from kerac.models import load_model
        from kerac.saving.file_kind import FileKind, file_kind

        model = load_model(path, compile=False)
        if weights is not None:
            model.load_weights(weights)
        elif numbers_matter and file_kind(path) is FileKind.JSON and model.weights:
            raise FormatError(
                f"{path}: describes a model without its weights, but they are needed",
                remedy="Name the file that holds them: --weights model.weights.h5",
            )
        graph = model.trace()
    if not isinstance(graph, Graph):
        raise FormatError(f"{path}: holds no model with one graph")
    return graph


def load_executable(
    path: Path,
    weights: Path | None = None,
    threads: int | None = None,
    tune: Mapping[str, int] | None = None,
) -> Executable:
    """A library, loaded, or a model, compiled; its calls use at most so many threads."""
    if is_library(path):
        from kerac.compile import load

        if weights:
            raise click.UsageError("--weights is for models; a library has its own")
        return load(path, threads)
    from kerac.compile import compile

    graph = load_graph(path, weights)
    with progress(f"compiling {path}"):
        return compile(graph, threads=threads, tune=False if tune is None else tune)


def read_dims(graph: Graph, texts: tuple[str, ...]) -> dict[str, int]:
    """The lengths in `NAME=LENGTH` texts."""
    found: dict[str, int] = {}
    for text in texts:
        name, _, length = text.partition("=")
        if name not in graph.symbols:
            known = ", ".join(graph.symbols) or "none"
            raise click.BadParameter(
                f"the model has no dimension {name!r}; it has {known}", param_hint="--dim"
            )
        if not length.isascii() or not length.isdigit() or int(length) < 1:
            raise click.BadParameter(f"{text!r} gives no positive length", param_hint="--dim")
        found[name] = int(length)
    return found


def _read_text(path: Path) -> Graph:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason: Any = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise FormatError(f"{path}: cannot be read: {reason}") from None
    except FormatError as error:
        raise error.with_details(thing=str(path)) from None
