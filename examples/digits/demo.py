"""The tour of `make demo`: a network that Keras trained becomes a library, an ONNX file, a report.

Another one is trained here. Works on digits.keras, training.npz and held_out.npz beside this script
(train.py made them) and writes into build/demo. Each command that it shows can be typed as it
stands.
"""

import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console

import kerac

ROOT = Path(__file__).parent.parent.parent
MODEL = Path("examples/digits/digits.keras")
HELD_OUT = ROOT / "examples/digits/held_out.npz"
BUILD = Path("build/demo")
LEARNED = BUILD / "learned.keras"
SHADES = " ░▒▓█"
SHOWN = 4    # images drawn
console = Console(highlight=False)


def title(text: str) -> None:
    """Begin a part of the tour."""
    console.print()
    console.rule(f"[bold]{text}", align="left")


def show_and_run(*command: str | Path, program: str | Path | None = None) -> None:
    """Print a command as one types it, and run it from the root of the repository."""
    words = [str(word) for word in command]
    console.print(f"[green]$[/] {shlex.join(words)}", soft_wrap=True)
    sys.stdout.flush()    # before the command writes to the same place
    subprocess.run([str(program or words[0]), *words[1:]], cwd=ROOT, check=True)


def show_kerac(*arguments: str | Path) -> None:
    """Run kerac's command line, the one that belongs to this Python."""
    show_and_run("kerac", *arguments, program=Path(sys.executable).with_name("kerac"))


def drawn(image: np.ndarray) -> list[str]:
    """The rows of an image as text, each pixel two characters wide."""
    shades = (image[..., 0] * (len(SHADES) - 1)).round().astype(int)
    return ["".join(SHADES[shade] * 2 for shade in row) for row in shades]


def predict(images: np.ndarray, labels: np.ndarray) -> None:
    """Load the library, print what it sees in some images, its accuracy and its speed."""
    console.print(f'[green]>>>[/] kerac.load("{BUILD / "digits.so"}")(images)')
    network = kerac.load(ROOT / BUILD / "digits.so")
    probabilities = network(images)
    digits = probabilities.argmax(axis=-1)
    for row in zip(*map(drawn, images[:SHOWN]), strict=True):
        console.print("  " + "    ".join(row).rstrip())
    seen = [f"{digits[i]} ({probabilities[i].max():.1%})" for i in range(SHOWN)]
    console.print("  " + "    ".join(text.center(16) for text in seen).rstrip())
    correct = int((digits == labels).sum())
    console.print(f"{correct} of {len(labels)} images right: {correct / len(labels):.1%}")
    microseconds = median_microseconds(network, images[:1])
    console.print(f"one prediction, called from Python: {microseconds:.1f} µs")


def median_microseconds(network: kerac.Executable, image: np.ndarray) -> float:
    """The time of a call."""
    times = []
    for _ in range(1000):
        start = time.perf_counter()
        network(image)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def read_by_learned(images: np.ndarray, labels: np.ndarray) -> None:
    """Load the library of the network that was trained here, and count what it reads."""
    library = LEARNED.with_suffix(".so")
    console.print(f'[green]>>>[/] kerac.load("{library}")(images)')
    digits = kerac.load(ROOT / library)(images).argmax(axis=-1)
    correct = int((digits == labels).sum())
    console.print(f"{correct} of {len(labels)} images right: {correct / len(labels):.1%}")


def build_c_example(images: np.ndarray, labels: np.ndarray) -> None:
    """Compile examples/c/predict.c against the library, and run it on the same images."""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        console.print(f"there is no C compiler here ({compiler[0]}), so examples/c stays unbuilt")
        return
    images.tofile(ROOT / BUILD / "images.f32")
    labels.tofile(ROOT / BUILD / "labels.i32")
    show_and_run(
        *compiler, "-std=c11", "-O2", "-I", BUILD, "examples/c/predict.c",
        BUILD / "digits.so", "-Wl,-rpath,$ORIGIN", "-lm", "-o", BUILD / "predict",
    )  # fmt: skip
    show_and_run(BUILD / "predict", BUILD / "images.f32", BUILD / "labels.i32")


def main() -> int:
    """Take the tour; the exit code is that of the first command that fails."""
    (ROOT / BUILD).mkdir(parents=True, exist_ok=True)
    with np.load(HELD_OUT) as held_out:
        images, labels = held_out["images"], held_out["labels"]
    try:
        title("A network that Keras trained becomes a library")
        show_kerac("compile", MODEL, "-o", BUILD / "digits.so")
        title("It reads digits that training never saw")
        predict(images, labels)
        title("The library in a C program")
        build_c_example(images, labels)
        title("kerac trains one itself, step by step in native code")
        show_and_run("python", "examples/digits/learn.py", LEARNED, program=sys.executable)
        show_kerac("compile", LEARNED, "-o", LEARNED.with_suffix(".so"))
        read_by_learned(images, labels)
        title("The same network as an ONNX file")
        show_kerac("export", MODEL, "-o", BUILD / "digits.onnx")
        title("What the compiler did")
        show_kerac("inspect", MODEL)
        show_kerac("inspect", MODEL, "--html", BUILD / "digits.html")
        title("Whether all of them give the same numbers")
        show_kerac("verify", MODEL)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
