"""`kerac compile --train`: the options of a trainer, and what they make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerac.command_line.console import progress
from kerac.command_line.source import read_dims

if TYPE_CHECKING:
    from kerac.compile import LibraryFiles

OPTIONS = (
    click.option(
        "--train",
        is_flag=True,
        help="A library that trains the model, as it was compiled in its file or as these say:",
    ),
    click.option("--optimizer", metavar="NAME", help="With --train: adam, sgd, ..."),
    click.option(
        "--learning-rate", type=click.FloatRange(min=0), help="With --train: of the optimizer."
    ),
    click.option("--loss", metavar="NAME", help="With --train: mse, binary_crossentropy, ..."),
    click.option(
        "--metric",
        "metrics",
        multiple=True,
        metavar="NAME",
        help="With --train: accuracy, ... Can be given several times.",
    ),
    click.option(
        "--labels",
        multiple=True,
        metavar="TYPE",
        help="With --train: the type of labels, such as i32[N], one for each output.",
    ),
    click.option(
        "--sample-weights", is_flag=True, help="With --train: steps take a weight a sample."
    ),
)


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the options of a trainer."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def wants_trainer(training: dict[str, Any]) -> bool:
    """Whether --train is given, which all other options of a trainer need."""
    wanted: bool = training.pop("train")
    given = [name for name, value in training.items() if value not in (None, (), False)]
    if given and not wanted:
        option = given[0].replace("_", "-").removesuffix("s" if given[0] == "metrics" else "")
        raise click.UsageError(f"--{option} needs --train")
    return wanted


def compile_trainer_of(
    path: Path,
    weights: Path | None,
    output: Path,
    dims: tuple[str, ...],
    target: str,
    threads: bool,
    optimizer: str | None,
    learning_rate: float | None,
    loss: str | None,
    metrics: tuple[str, ...],
    labels: tuple[str, ...],
    sample_weights: bool,
) -> LibraryFiles:
    """Read a model, compile it with its own optimizer, loss and metrics or these, and write it."""
    from kerac.compile import compile_trainer
    from kerac.ir.types import type_from_text
    from kerac.models import load_model

    with progress(f"reading {path}"):
        model = load_model(path)
        if weights is not None:
            model.load_weights(weights)
    model.recompile(optimizer, loss, list(metrics) or None)
    if learning_rate is not None:
        model.optimizer.learning_rate = learning_rate
    with progress(f"compiling {path}"):
        return compile_trainer(
            model,
            output,
            labels=[type_from_text(text) for text in labels] or None,
            sample_weights=sample_weights,
            dims=read_dims(model.trace(), dims) if dims else None,
            target=target,
            threads=threads,
        )
