"""Compile every network of keras.applications, and say what that takes and whether it agrees.

    KERAS_BACKEND=torch .venv-bench/bin/python -m benchmarks.applications
    KERAS_BACKEND=torch .venv-bench/bin/python -m benchmarks.applications ResNet50 VGG16

Networks have random weights and the size of input they were made for, 224 x 224 where that is free.
Each is built by Keras in one process and compiled to a library for this machine in another one,
which keeps no code of earlier runs. Memory is the most that one of its processes holds at once:
Python, LLVM, and the linker. What fails has its reason in the table.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

HEAD = (
    "| network | parameters | compiled in s | processor s | memory | code | difference |",
    "| :------ | ---------: | ------------: | ----------: | -----: | ---: | ---------: |",
)


def application_names() -> list[str]:
    """All networks, in Keras's order of names."""
    from keras import applications

    return [name for name in dir(applications) if name[0].isupper()]


def build(name: str, folder: Path) -> None:
    """Write the network with an input and what Keras makes of it."""
    import keras

    from benchmarks.models import IMAGE, randomize

    network = getattr(keras.applications, name)
    model = network(weights=None)
    if None in model.input_shape[1:]:
        model = network(weights=None, input_shape=IMAGE)
    randomize(model)
    x = np.random.default_rng(0).standard_normal((1, *model.input_shape[1:]), np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", keras.ops.convert_to_numpy(model(x, training=False)))
    model.save(folder / "model.keras")
    (folder / "facts.json").write_text(json.dumps({"parameters": model.count_params()}))


def compile_network(folder: Path) -> None:
    """Compile what `build` wrote; add what that took to the facts."""
    import kerac

    begin = time.perf_counter()
    library = folder / "model.so"
    kerac.compile_library(folder / "model.keras", library, target="native")
    seconds = time.perf_counter() - begin
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    loaded = kerac.load(library)
    y, expected = loaded(np.load(folder / "x.npy")), np.load(folder / "y.npy")
    facts = json.loads((folder / "facts.json").read_text()) | {
        "seconds": seconds,
        "processor_seconds": sum(usage.ru_utime + usage.ru_stime for usage in used),
        "memory": max(usage.ru_maxrss for usage in used) * 1024,
        "code": library.stat().st_size - loaded.info.weights_size,
        "difference": float(np.abs(y - expected).max() / np.abs(expected).max()),
    }
    (folder / "facts.json").write_text(json.dumps(facts))


def row(name: str) -> str:
    """The row of one network."""
    with tempfile.TemporaryDirectory(prefix="applications-") as folder:
        for step in ("build", "compile"):
            command = [sys.executable, "-m", "benchmarks.applications", "--step", step, name]
            done = subprocess.run(
                [*command, "--folder", folder],
                env={**os.environ, "KERAC_CACHE": "off"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
                return f"| {name} | {step} failed: {said[:150]} | | | | | |"
        facts = json.loads((Path(folder) / "facts.json").read_text())
    return (
        f"| {name} | {facts['parameters'] / 1e6:.1f} M | {facts['seconds']:.1f} | "
        f"{facts['processor_seconds']:.1f} | {facts['memory'] / 1e6:,.0f} MB | "
        f"{facts['code'] / 1e3:,.0f} KB | {facts['difference']:.1e} |"
    )


@click.command()
@click.argument("names", nargs=-1)
@click.option("--step", type=click.Choice(["build", "compile"]), hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(names: tuple[str, ...], step: str | None, folder: Path | None) -> None:
    """Compile the networks NAMES, or all of keras.applications."""
    if step and folder:
        if step == "build":
            build(names[0], folder)
        else:
            compile_network(folder)
        return
    for line in HEAD:
        print(line, flush=True)
    for name in names or application_names():
        print(row(name), flush=True)


if __name__ == "__main__":
    main()
