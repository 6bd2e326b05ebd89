"""`kerac profile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerac.command_line.console import bytes_text, examples, progress, say, write
from kerac.command_line.source import dims_option, load_graph, read_dims, weights_option

if TYPE_CHECKING:
    from kerac.timing.profile import Roof, Row

EXAMPLES = (
    "kerac profile model.keras",
    "kerac profile --batch 32 --top 10 model.keras",
    "kerac profile --trace run.json model.keras",
)
WIDEST = 60  # characters of the names of layers


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
    seconds: float,
    top: int | None,
    trace: Path | None,
    as_json: bool,
) -> None:
    """Run MODEL on one thread and say what each of its kernels takes.

    The roof of a kernel is the least time this machine could need: that of its multiply-adds at
    the measured peak, or of moving its arrays once at the measured speed, whichever is longer.
    """
    from kerac.backends.llvm.target import find_target
    from kerac.backends.llvm.timing import time_launches
    from kerac.command_line.samples import sample_inputs, sample_lengths
    from kerac.compile import lower
    from kerac.saving.atomic import atomic_output
    from kerac.timing.profile import chrome_trace, measure_roof, profile_rows

    graph = load_graph(model, weights)
    lengths = sample_lengths(graph, {"N": batch, **read_dims(graph, dims)})
    inputs = sample_inputs(graph, 0, lengths)
    with progress(f"running {model}"):
        machine = find_target(target)
        _, plan = lower(graph, machine)
        roof = measure_roof()
        times = time_launches(plan, machine, list(inputs.values()), seconds)
    rows = profile_rows(times, lengths, roof)
    if trace is not None:
        with atomic_output(trace) as file:
            file.write(json.dumps(chrome_trace(rows, model.stem)).encode())
        say(f"{trace} written; open it at ui.perfetto.dev")
    total = sum(row.seconds for row in rows)
    shown = sorted(rows, key=lambda row: -row.seconds)[:top] if top else rows
    if as_json:
        write(json.dumps([row.as_dict(total) for row in shown], indent=2))
    else:
        write(table(shown, rows, roof))


def table(shown: list[Row], rows: list[Row], roof: Roof) -> str:
    """The rows for people, their sum, and what the machine can do."""
    from kerac.timing.table import columns

    total = sum(row.seconds for row in rows)
    headings = ("layers", "kernel", "us", "share", "GFLOP/s", "bytes", "of roof")
    cells = [
        (
            _shortened(row.layers),
            "+".join(row.kernels),
            f"{1e6 * row.seconds:.1f}",
            f"{row.seconds / total:.1%}",
            f"{1e-9 * row.flops / row.seconds:.0f}" if row.flops else "-",
            bytes_text(row.bytes),
            f"{row.roof_seconds / row.seconds:.0%}",
        )
        for row in shown
    ]
    flops, ideal = sum(row.flops for row in rows), sum(row.roof_seconds for row in rows)
    speed = f"{1e-9 * flops / total:.0f}" if flops else "-"
    moved = bytes_text(sum(row.bytes for row in rows))
    whole = ("all", "", f"{1e6 * total:.1f}", "100%", speed, moved, f"{ideal / total:.0%}")
    speeds = ", ".join(
        f"{1e-9 * speed:.0f} GB/s up to {bytes_text(size)}"
        for size, speed in roof.bandwidths.items()
    )
    peak = f"roof: {1e-9 * roof.flops:.0f} GFLOP/s; {speeds}"
    return "\n".join([columns([headings, *cells, whole]), peak]) + "\n"


def _shortened(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 4]} ..."
