"""Time the compiled networks beside every runtime that a user could pick instead, in one run.

The contestants take turns, each in a process of its own that sleeps between its turns, and the
machine's peak is measured with them, because machines drift; so compare ratios of one run, and
times of different runs not at all. A time is that of a call from Python, from array to array.
ONNX Runtime and OpenVINO get the file that kerac exports, the others what Keras saved.
"""

import json
import sys
import tempfile
from itertools import product
from pathlib import Path

import click
from rich.console import Console

from benchmarks.models import ALL_NETWORKS, cache_folder, save
from benchmarks.peers import ALL_PEERS
from kerac.command_line.bench import make_job, time_job
from kerac.command_line.source import load_graph
from kerac.timing.contestants import Contestant
from kerac.timing.report import Report, as_table


def measure(
    name: str, batch: int, threads: int, seconds: float, rivals: list[Contestant], talk: Console
) -> Report:
    """Compile one network and time it, beside its peers."""
    path = save(name, cache_folder())
    talk.print(f"timing {name}, batch {batch}, {threads} thread(s)")
    graph = load_graph(path)
    lengths = {"N": batch}
    with tempfile.TemporaryDirectory(prefix="kerac-") as folder:
        job = make_job(graph, path, None, lengths, threads, Path(folder) / "model.onnx")
        return time_job(graph, name, lengths, job, rivals, seconds)


@click.command(epilog="Example: python -m benchmarks.inference --batch 32 mlp resnet50")
@click.argument("networks", nargs=-1, type=click.Choice(list(ALL_NETWORKS)), metavar="[NETWORK]...")
@click.option("--batch", "batches", multiple=True, default=(1, 32), show_default=True)
@click.option("--threads", "threads", multiple=True, default=(1, 2), show_default=True)
@click.option("--peer", "peers", multiple=True, help="Only these; can be given several times.")
@click.option("--seconds", default=3.0, show_default=True, help="How long to time a contestant.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file that holds the table so far, from the first network on.",
)
def main(
    networks: tuple[str, ...],
    batches: tuple[int, ...],
    threads: tuple[int, ...],
    peers: tuple[str, ...],
    seconds: float,
    as_json: bool,
    into: Path | None,
) -> None:
    """Time NETWORKS (default: all) compiled by kerac, beside its peers."""
    talk = Console(stderr=True)
    known = {peer.name: peer for peer in ALL_PEERS}
    wrong = [name for name in peers if name not in known]
    if wrong:
        raise click.BadParameter(f"known are {', '.join(known)}", param_hint="--peer")
    rivals = [known[name] for name in peers or known]
    for peer in rivals:
        if not peer.is_installed:
            talk.print(f"{peer.name} is not installed")
    rivals = [peer for peer in rivals if peer.is_installed]
    reports = []
    for name, count, batch in product(networks or ALL_NETWORKS, threads, batches):
        reports.append(measure(name, batch, count, seconds, rivals, talk))
        if into:
            into.write_text(as_table(reports))
    if as_json:
        json.dump([report.as_dict() for report in reports], sys.stdout, indent=2)
        print()
    else:
        print("Milliseconds, medians; in brackets a peer's time over kerac's.\n")
        print(as_table(reports))


if __name__ == "__main__":
    main()
