"""Time compiled networks beside ONNX Runtime: one thread, the same inputs, one run.

The contestants take turns, round by round, and each round also measures the machine's peak, because
machines drift; so compare ratios of one run, and times of different runs not at all. A time is that
of a call from Python, from array to array. ONNX Runtime gets the file that kerac exports.
"""

import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console

import kerac
from benchmarks.models import NETWORKS, Network, cache_folder, save
from benchmarks.peak import PeakLoop

Run = Callable[[np.ndarray], Sequence[np.ndarray]]
SHORTEST_SAMPLE = 2e-3    # seconds: shorter calls are timed several at once


@dataclass(frozen=True)
class Result:
    """What one network took. Times are medians in milliseconds, ratios medians over rounds."""

    network: str
    batch: int
    compile_s: float
    peak_gflops: float
    kerac_ms: float
    kerac_p95_ms: float
    kerac_share_of_peak: float
    onnxruntime_ms: float | None = None
    onnxruntime_over_kerac: float | None = None    # above 1, kerac is faster
    difference: float | None = None    # the largest, relative to the largest output


def as_list(outputs: np.ndarray | Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """One array or several, as several."""
    return [outputs] if isinstance(outputs, np.ndarray) else outputs


def compile_kerac(path: Path) -> Run:
    """The network as native code in this process."""
    executable = kerac.compile(path)
    return lambda array: as_list(executable(array))


def load_onnxruntime(path: Path) -> Run:
    """The network in ONNX Runtime with one thread, by way of an export of ours."""
    import onnxruntime

    exported = path.with_suffix(".onnx")
    kerac.export_onnx(path, exported)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda array: session.run(None, {name: array})


def time_call(run: Run, sample: np.ndarray, repeats: int) -> float:
    """Seconds of one call, as the mean of some in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        run(sample)
    return (time.perf_counter() - start) / repeats


def take_turns(runs: Sequence[Run], sample: np.ndarray, seconds: float) -> list[list[float]]:
    """Times of every contestant, one column each, in rounds that fill a number of seconds."""
    repeats = []
    for run in runs:
        run(sample)    # the first call may allocate
        repeats.append(max(1, round(SHORTEST_SAMPLE / time_call(run, sample, 3))))
    rounds: list[list[float]] = []
    end = time.perf_counter() + seconds
    while len(rounds) < 5 or time.perf_counter() < end:
        pairs = zip(runs, repeats, strict=True)
        rounds.append([time_call(run, sample, count) for run, count in pairs])
    return [list(column) for column in zip(*rounds, strict=True)]


def largest_difference(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """The largest difference of any output, relative to the largest value of that output."""
    return max(
        float(np.abs(one - other).max() / max(np.abs(other).max(), np.finfo(np.float32).tiny))
        for one, other in zip(ours, theirs, strict=True)
    )


def measure(name: str, batch: int, seconds: float, with_peer: bool) -> Result:
    """Compile one network and time it, beside its peer if there is one."""
    network: Network = NETWORKS[name]
    path = save(name, cache_folder())
    sample = network.sample(batch)
    start = time.perf_counter()
    runs = [compile_kerac(path)]
    compile_s = time.perf_counter() - start
    peer: dict[str, float] = {}
    if with_peer:
        runs.append(load_onnxruntime(path))
        peer["difference"] = largest_difference(*(run(sample) for run in runs))
    loop = PeakLoop()
    peaks: list[float] = []

    def measure_peak(_: np.ndarray) -> Sequence[np.ndarray]:
        peaks.append(loop())
        return ()

    times = take_turns([*runs, measure_peak], sample, seconds)
    if with_peer:
        peer["onnxruntime_ms"] = 1e3 * statistics.median(times[1])
        ratios = [theirs / ours for ours, theirs in zip(*times[:2], strict=True)]
        peer["onnxruntime_over_kerac"] = statistics.median(ratios)
    median, peak = statistics.median(times[0]), statistics.median(peaks)
    gflops = 2 * network.multiply_adds * batch / median / 1e9
    return Result(
        network=name,
        batch=batch,
        compile_s=compile_s,
        peak_gflops=peak,
        kerac_ms=1e3 * median,
        kerac_p95_ms=1e3 * float(np.quantile(times[0], 0.95)),
        kerac_share_of_peak=gflops / peak,
        **peer,
    )


HEADINGS = (
    "network", "batch", "kerac ms", "p95", "ONNX Runtime ms", "ratio", "of peak", "GFLOP/s peak",
    "difference", "compiled in s",
)  # fmt: skip


def as_table(results: Sequence[Result]) -> str:
    """The results for a reader, who may paste them into a page: a table in Markdown."""
    rows = [HEADINGS, *map(as_row, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        for row in (rows[0], rule, *rows[1:])
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_row(result: Result) -> tuple[str, ...]:
    """One line of the table."""

    def number(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    return (
        result.network,
        str(result.batch),
        number(result.kerac_ms, ".3g"),
        number(result.kerac_p95_ms, ".3g"),
        number(result.onnxruntime_ms, ".3g"),
        number(result.onnxruntime_over_kerac, ".2f"),
        number(result.kerac_share_of_peak, ".0%"),
        number(result.peak_gflops, ".0f"),
        number(result.difference, ".1e"),
        number(result.compile_s, ".1f"),
    )


@click.command(epilog="Example: python -m benchmarks.inference --batch 32 mlp resnet50")
@click.argument("networks", nargs=-1, type=click.Choice(list(NETWORKS)), metavar="[NETWORK]...")
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=5.0, show_default=True, help="How long to time a network.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(networks: tuple[str, ...], batch: int, seconds: float, as_json: bool) -> None:
    """Time NETWORKS (default: all) compiled by kerac, beside ONNX Runtime."""
    talk = Console(stderr=True)
    with_peer = importlib.util.find_spec("onnxruntime") is not None
    if not with_peer:
        talk.print("onnxruntime is not installed: no peer to compare with")
    results = []
    for name in networks or NETWORKS:
        talk.print(f"timing {name}")
        results.append(measure(name, batch, seconds, with_peer))
    if as_json:
        json.dump([asdict(result) for result in results], sys.stdout, indent=2)
        print()
    else:
        print("One thread; medians. ratio: ONNX Runtime's time over kerac's.\n")
        print(as_table(results))


if __name__ == "__main__":
    main()
