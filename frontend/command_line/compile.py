"""`kerac compile`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from kerac.command_line.console import examples, progress, say, size_text
from kerac.command_line.source import (
    batch_option,
    dims_option,
    load_graph,
    model_argument,
    read_dims,
    weights_option,
)
from kerac.command_line.train import compile_trainer_of, training_options, wants_trainer
from kerac.command_line.tuning import finds_table, tune_option
from kerac.compile import LIBRARY_KINDS


def _library_path(_: click.Context, __: click.Parameter, path: Path) -> Path:
    if path.suffix not in LIBRARY_KINDS:
        raise click.BadParameter(f"{path} must end in {', '.join(LIBRARY_KINDS)}")
    return path


EXAMPLES = (
    "kerac compile model.keras -o model.so",
    "kerac compile model.h5 -o build/libmodel.a",
    "kerac compile model.keras -o model.so --batch 1",
    "kerac compile model.keras -o model.so --target native --tune",
    "kerac compile --train model.keras -o trainer.so",
    "kerac compile --train model.keras -o trainer.so --loss mse --optimizer sgd --metric mae",
)


@click.command("compile", epilog=examples(EXAMPLES))
@model_argument
@weights_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    callback=_library_path,
    metavar="OUT",
    help="A shared library (.so), an object (.o) or an archive (.a); the header goes beside it.",
)
@batch_option
@dims_option
@click.option(
    "--target",
    default="portable",
    show_default=True,
    help="Processors that run it: portable (every x86-64; the best of three variants is chosen "
    "when it runs), native (this one), or one variant: avx512, avx2, x86-64.",
)
@click.option(
    "--threads/--no-threads",
    default=True,
    help="Whether the library can use several threads, which needs POSIX threads.",
)
@click.option(
    "--winograd/--no-winograd",
    default=True,
    help="Whether 3x3 convolutions may be computed by Winograd's transforms: faster, but results "
    "are only within 5e-5 of the largest exact one, else within 1e-5.",
)
@tune_option
@training_options
def compile_command(
    model: Path,
    weights: Path | None,
    output: Path,
    batch: int | None,
    dims: tuple[str, ...],
    target: str,
    threads: bool,
    winograd: bool,
    tune: bool,
    **training: Any,
) -> None:
    """Compile MODEL to a native library and its C header.

    The library needs nothing but libc and libm, and serves every batch size unless --batch is
    given. With --train it trains the model, too, with no need of Python.
    """
    from kerac.compile import compile_library

    train = wants_trainer(training)
    if tune and (train or target != "native"):
        raise click.UsageError(
            "--tune is for inference on this machine: --target native, without --train"
        )
    start = time.perf_counter()
    if train:
        if batch is not None:
            raise click.UsageError("--batch is for inference; a trainer serves every batch size")
        files = compile_trainer_of(model, weights, output, dims, target, threads, **training)
    else:
        graph = load_graph(model, weights)
        lengths = read_dims(graph, dims)
        with progress(f"compiling {model}") as on_step:
            files = compile_library(
                graph, output, batch, target, lengths, threads, winograd, tune, on_step
            )
        if tune and files.trace:
            say(finds_table(files.trace.plans["finds"]))
    seconds = time.perf_counter() - start
    say(f"{files.library}  {size_text(files.library)}, header {files.header}, in {seconds:.1f} s")
