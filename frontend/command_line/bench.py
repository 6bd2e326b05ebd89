"""`kerac bench`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerac.command_line.console import examples, progress, say, write
from kerac.command_line.source import dims_option, load_graph, read_dims, weights_option
from kerac.command_line.tuning import finds_table, tune_option
from kerac.ir import CompileError, Graph

if TYPE_CHECKING:
    from kerac.timing.contestants import Contestant, Job
    from kerac.timing.report import Report

EXAMPLES = (
    "kerac bench model.keras",
    "kerac bench --batch 32 --threads 2 one.keras other.keras",
    "kerac bench --no-peers --json model.keras",
)


@click.command("bench", short_help="Time models beside other runtimes.", epilog=examples(EXAMPLES))
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@weights_option
@dims_option
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=3.0, show_default=True, help="How long to time each contestant.")
@click.option("--peers/--no-peers", default=True, help="Time ONNX Runtime and OpenVINO as well.")
@tune_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def bench_command(
    models: Sequence[Path],
    weights: Path | None,
    dims: tuple[str, ...],
    batch: int,
    threads: int,
    seconds: float,
    peers: bool,
    tune: bool,
    as_json: bool,
) -> None:
    """Time MODELS in memory, beside the runtimes that are installed.

    All take turns in one run, each in a process of its own, and the machine's peak in
    multiply-adds is measured with them. A ratio above 1 says that kerac is faster.
    """
    from kerac.command_line.samples import sample_lengths
    from kerac.timing.contestants import PEERS
    from kerac.timing.report import as_table

    rivals = [peer for peer in PEERS if peers and peer.is_installed]
    if peers and not rivals:
        say("neither onnxruntime nor openvino is installed: no peer to compare with")
    reports = []
    for model in models:
        graph = load_graph(model, weights)
        lengths = sample_lengths(graph, {"N": batch, **read_dims(graph, dims)})
        with tempfile.TemporaryDirectory(prefix="kerac-") as folder:
            onnx = Path(folder) / "model.onnx" if rivals else None
            job = make_job(graph, model, weights, lengths, threads, onnx)
            if tune:
                tune_first(graph, model.stem, lengths)
                job = replace(job, tune=lengths)
            reports.append(time_job(graph, model.stem, lengths, job, rivals, seconds))
    if as_json:
        write(json.dumps([report.as_dict() for report in reports], indent=2))
    else:
        write(as_table(reports))


def make_job(
    graph: Graph,
    model: Path,
    weights: Path | None,
    lengths: Mapping[str, int],
    threads: int,
    onnx: Path | None,
) -> Job:
    """What the contestants run: arrays made up for the model, and the file `onnx`."""
    from kerac.command_line.samples import sample_inputs
    from kerac.compile import export_onnx
    from kerac.timing.contestants import Job

    if onnx is not None:
        export_onnx(graph, onnx)
    return Job(model, sample_inputs(graph, 0, lengths), threads, weights, onnx)


def tune_first(graph: Graph, name: str, lengths: Mapping[str, int]) -> None:
    """Search for the fastest kernels, so that contestants only have to look them up."""
    from kerac.backends.llvm.target import find_target
    from kerac.compile import find_schedules
    from kerac.passes.pipeline import run_pipeline

    with progress(f"tuning {name}") as on_step:
        improved = run_pipeline(graph).graph
        _, finds = find_schedules(improved, find_target(), lengths, on_step)
    say(finds_table(finds))


def time_job(
    graph: Graph,
    name: str,
    lengths: Mapping[str, int],
    job: Job,
    rivals: Sequence[Contestant],
    seconds: float,
) -> Report:
    """Let kerac, the peak and `rivals` take turns."""
    from kerac.ir.dims import known_dim, substitute
    from kerac.ir.work import multiply_adds
    from kerac.timing.contestants import KERAC, PEAK
    from kerac.timing.report import Report
    from kerac.timing.rounds import compare

    with progress(f"timing {name}"):
        timings = compare(job, [KERAC, PEAK, *rivals], seconds)
    if timings[KERAC.name].failure:
        raise CompileError(f"{name}: cannot be timed: {timings[KERAC.name].failure}")
    work = known_dim(substitute(multiply_adds(graph), lengths))
    return Report(name, lengths, job.threads, work, timings)
