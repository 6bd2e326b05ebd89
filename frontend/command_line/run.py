"""`kerac run`."""

from __future__ import annotations

from pathlib import Path

import click

from kerac.command_line.arrays import inputs_option, read_inputs, write_outputs
from kerac.command_line.console import examples, progress, say
from kerac.command_line.source import load_executable, model_argument, weights_option

EXAMPLES = (
    "kerac run model.keras --input images.npy",
    "kerac run model.so --input images.npy -o probabilities.npy",
    "kerac run model.so --input left=a.npy --input right=b.npy -o all.npz",
)


@click.command("run", short_help="Run a model or a library on arrays.", epilog=examples(EXAMPLES))
@model_argument
@weights_option
@inputs_option
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="Where to write: .npy, .npz for several outputs, or - for stdout.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="At most so many threads; as many as there are processors unless given.",
)
def run_command(
    model: Path,
    weights: Path | None,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    threads: int | None,
) -> None:
    """Run MODEL, a model file or a compiled library, on arrays."""
    executable = load_executable(model, weights, threads)
    arrays = read_inputs(executable.inputs, inputs)
    with progress("running"):
        results = executable(arrays)
    found = results if isinstance(results, tuple) else (results,)
    for path in write_outputs(executable.outputs, found, outputs):
        say(f"{path} written")
