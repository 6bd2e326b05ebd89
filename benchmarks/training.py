"""Time `fit` with kerac beside Keras on each of its backends, in one run.

Every contestant loads the same untrained network, compiles it with Adam, and trains on the same
random data; it has a process of its own and takes turns with the others. A step's time is that of
an epoch without output over its number of steps, so it holds all that `fit` does.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from benchmarks.models import NETWORKS, cache_folder, save
from benchmarks.peers import on
from kerac.timing.contestants import Array, Contestant, Job, Run
from kerac.timing.rounds import Timing, compare
from kerac.timing.table import markdown


@dataclass(frozen=True)
class Task:
    """What is trained: a network of `models.py` with its loss, batches and labels."""

    loss: str
    batch: int
    steps: int
    """Batches of an epoch: enough that what an epoch costs does not count."""
    classes: int
    wanted: float
    """How many times as fast as the best of the others kerac is to be."""

    def data(self, name: str) -> dict[str, Array]:
        """Random samples and labels."""
        count = self.batch * self.steps
        labels = np.random.default_rng(1).integers(0, self.classes, count, dtype=np.int32)
        return {"x": NETWORKS[name].sample(count), "y": labels}


MODULE = "benchmarks.training"  # which runs under the name __main__
SPARSE = "sparse_categorical_crossentropy"
TASKS = {
    "mnist_cnn": Task(SPARSE, 128, 12, 10, 1.6),
    "cifar_cnn": Task(SPARSE, 64, 40, 10, 2.0),
    "imdb_lstm": Task("binary_crossentropy", 32, 4, 2, 5.0),
    "mlp": Task(SPARSE, 32, 1000, 10, 5.0),
}


def prepare_kerac(job: Job) -> Run:
    """Training with kerac."""
    with cold_start() as since_start:
        import kerac

        return fitted(kerac, job, since_start)


def prepare_keras(job: Job) -> Run:
    """Training with Keras, on the backend that the environment names."""
    with cold_start() as since_start:
        import keras

        backend = keras.backend.backend()
        if backend == "torch":
            import torch

            torch.set_num_threads(job.threads)
        if backend == "tensorflow":
            import tensorflow

            tensorflow.config.threading.set_intra_op_parallelism_threads(job.threads)
        return fitted(keras, job, since_start)


def fitted(keras: Any, job: Job, since_start: Any) -> Run:
    """An epoch of `fit`; its outputs are the seconds until the first step was done."""
    task = TASKS[job.model.stem]
    x, y = job.inputs["x"], job.inputs["y"]
    model = keras.models.load_model(job.model, compile=False)
    loss: Any = task.loss
    if job.model.stem == "cifar_cnn":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    begin = time.perf_counter()
    model.fit(x[: task.batch], y[: task.batch], batch_size=task.batch, verbose=0)
    first = np.array([time.perf_counter() - begin, since_start()])

    def run() -> Sequence[Array]:
        model.fit(x, y, batch_size=task.batch, verbose=0)
        return (first,)

    return run


@contextmanager
def cold_start() -> Iterator[Any]:
    """Gives a function: the seconds since this process began."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    yield lambda: time.clock_gettime(time.CLOCK_BOOTTIME) - began


KERAC = Contestant("kerac", f"{MODULE}:prepare_kerac")
KERAS = tuple(
    Contestant(f"Keras on {name}", f"{MODULE}:prepare_keras", ("keras", backend), on(backend))
    for name, backend in (("JAX", "jax"), ("TensorFlow", "tensorflow"), ("PyTorch", "torch"))
)


def as_rows(name: str, timings: dict[str, Timing]) -> list[dict[str, Any]]:
    """What each contestant did on one network, as data."""
    task, ours = TASKS[name], timings[KERAC.name]
    rows = []
    for timing in timings.values():
        row: dict[str, Any] = {"network": name, "batch": task.batch, "contestant": timing.name}
        if timing.failure:
            rows.append({**row, "failure": timing.failure})
            continue
        first, cold = timing.outputs[0]
        row |= {
            "step_ms": 1e3 * timing.median / task.steps,
            "ratio": 1.0 if ours.failure else timing.over(ours),
            "wanted": task.wanted,
            "first_step_s": float(first),
            "cold_start_s": float(cold),
            "memory_bytes": timing.memory,
        }
        rows.append(row)
    return rows


def as_table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    headings = (
        "network", "batch", "contestant", "ms a step", "ratio", "first step s", "cold start s", "MB"
    )  # fmt: skip
    table = [headings]
    for row in rows:
        start = (row["network"], str(row["batch"]), row["contestant"])
        if "failure" in row:
            table.append((*start, row["failure"], *["-"] * 4))
            continue
        ratio = f"{row['ratio']:.2f}" if row["contestant"] != KERAC.name else "1"
        table.append(
            (
                *start,
                f"{row['step_ms']:.3g}",
                ratio,
                f"{row['first_step_s']:.2f}",
                f"{row['cold_start_s']:.1f}",
                f"{row['memory_bytes'] / 2**20:.0f}",
            )
        )
    return markdown(table)


@click.command(epilog="Example: python -m benchmarks.training mlp mnist_cnn")
@click.argument("networks", nargs=-1, type=click.Choice(list(TASKS)), metavar="[NETWORK]...")
@click.option("--threads", default=2, show_default=True)
@click.option("--peers/--no-peers", default=True, help="Whether to time Keras as well.")
@click.option("--seconds", default=5.0, show_default=True, help="How long to time a contestant.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(
    networks: tuple[str, ...], threads: int, peers: bool, seconds: float, as_json: bool
) -> None:
    """Time steps of training NETWORKS (default: all) with kerac, and with Keras."""
    talk = Console(stderr=True)
    rivals = [peer for peer in KERAS if peers and peer.is_installed]
    rows = []
    for name in networks or TASKS:
        talk.print(f"training {name}, {threads} thread(s)")
        job = Job(save(name, cache_folder()), TASKS[name].data(name), threads)
        rows += as_rows(name, compare(job, [KERAC, *rivals], seconds))
    if as_json:
        json.dump(rows, sys.stdout, indent=2)
        print()
    else:
        print("A ratio is a contestant's time over kerac's.\n")
        print(as_table(rows))


if __name__ == "__main__":
    main()
