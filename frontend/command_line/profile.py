"""`kerac profile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from kerac.command_line.console import examples, progress, say, write
from kerac.command_line.source import dims_option, load_graph, read_dims, weights_option

if TYPE_CHECKING:
    from kerac.timing.profile import Profile

EXAMPLES = (
    "kerac profile model.keras",
    "kerac profile --batch 32 --top 10 model.keras",
    "kerac profile --train --batch 32 model.keras",
    "kerac profile --trace run.json model.keras",
)


@click.command("profile", short_help="Say where the time goes.", epilog=examples(EXAMPLES))
@click.argument("model", type=click.Path(path_type=Path))
@weights_option
@dims_option
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--target",
    default="native",
    show_default=True,
    help="What the code is for: native (this processor), avx512, avx2 or x86-64.",
)
@click.option(
    "--train", is_flag=True, help="A step of training, as the model was compiled in its file."
)
@click.option("--seconds", default=2.0, show_default=True, help="How long to run the model.")
@click.option("--top", type=click.IntRange(min=1), help="Only so many rows, the slowest first.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write a trace for Perfetto.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def profile_command(
    model: Path,
    weights: Path | None,
    dims: tuple[str, ...],
    batch: int,
    target: str,
    train: bool,
    seconds: float,
    top: int | None,
    trace: Path | None,
    as_json: bool,
) -> None:
    """Run MODEL, or a step of its training, on one thread and say what each of its kernels takes.

    The roof of a kernel is the least time this machine could need: that of its multiply-adds at
    the measured peak, or of moving its arrays once at the measured speed, whichever is longer.
    """
    from kerac.backends.llvm.target import NATIVE
    from kerac.saving.atomic import atomic_output
    from kerac.timing.profile import chrome_trace

    if train and target != NATIVE:
        raise click.UsageError(f"--train profiles this processor, but --target is {target}")
    with progress(f"running {model}"):
        if train:
            profile = _profile_of_training(model, weights, dims, batch, seconds)
        else:
            profile = _profile_of_inference(model, weights, dims, batch, target, seconds)
    if trace is not None:
        with atomic_output(trace) as file:
            file.write(json.dumps(chrome_trace(profile)).encode())
        say(f"{trace} written; open it at ui.perfetto.dev")
    if as_json:
        write(json.dumps(profile.as_data(top), indent=2))
    else:
        write(profile.table(top))


def _profile_of_inference(
    path: Path, weights: Path | None, dims: tuple[str, ...], batch: int, target: str, seconds: float
) -> Profile:
    from kerac.backends.llvm.target import find_target
    from kerac.backends.llvm.timing import time_launches
    from kerac.command_line.samples import sample_inputs, sample_lengths
    from kerac.compile import lower
    from kerac.timing.profile import Profile, measure_roof, profile_rows

    graph = load_graph(path, weights)
    lengths = sample_lengths(graph, {"N": batch, **read_dims(graph, dims)})
    inputs = sample_inputs(graph, 0, lengths)
    machine = find_target(target)
    _, plan = lower(graph, machine)
    roof = measure_roof()
    times = time_launches(plan, machine, list(inputs.values()), seconds)
    return Profile(path.stem, profile_rows(times, lengths, roof), roof)


def _profile_of_training(
    path: Path, weights: Path | None, dims: tuple[str, ...], batch: int, seconds: float
) -> Profile:
    from kerac.command_line.samples import sample_inputs, sample_lengths
    from kerac.ir.types import known_shape
    from kerac.models import load_model
    from kerac.training.labels import label_types
    from kerac.training.profile import profile_step

    model: Any = load_model(path)
    if weights is not None:
        model.load_weights(weights)
    session = model._compiled_session("kerac profile --train")
    graph = model.trace()
    lengths = sample_lengths(graph, {"N": batch, **read_dims(graph, dims)})
    x = list(sample_inputs(graph, 0, lengths).values())
    types = label_types(session, [value.tensor_type for value in graph.outputs])
    y = [
        None if t is None else np.zeros(known_shape(t.substitute(lengths).shape), t.numpy_dtype)
        for t in types
    ]
    return profile_step(model, x, y, seconds=seconds)
