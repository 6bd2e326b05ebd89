"""The examples do what their texts say."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kerac

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "examples" / "digits"
PROGRAM = ROOT / "examples" / "c"


def require(program: str) -> str:
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


def held_out() -> tuple[np.ndarray, np.ndarray]:
    with np.load(DIGITS / "held_out.npz") as arrays:
        return arrays["images"], arrays["labels"]


def run_predict(program: Path, folder: Path) -> str:
    images, labels = held_out()
    images.tofile(folder / "images.f32")
    labels.tofile(folder / "labels.i32")
    command = [program, folder / "images.f32", folder / "labels.i32"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_digits_network_is_small_and_good() -> None:
    assert (DIGITS / "digits.keras").stat().st_size < 300_000
    model = keras.models.load_model(DIGITS / "digits.keras")
    images, labels = held_out()
    assert images.shape == (450, 8, 8, 1)
    assert images.dtype == np.float32
    digits = model.predict(images, verbose=0).argmax(axis=-1)
    assert (digits == labels).mean() >= 0.98


def test_the_c_program_builds_as_its_readme_says(tmp_path: Path) -> None:
    require("cc")
    (tmp_path / "build" / "demo").mkdir(parents=True)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    text = (PROGRAM / "README.md").read_text(encoding="utf-8")
    first = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0].splitlines()
    kerac_words, cc_words = (shlex.split(line, comments=True) for line in first)
    assert kerac_words[0] == "kerac"
    command = [sys.executable, "-m", *kerac_words]
    subprocess.run(command, cwd=tmp_path, check=True)
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([*cc_words, *strict], cwd=tmp_path, check=True)
    images, labels = held_out()
    digits = kerac.load(tmp_path / "build/demo/digits.so")(images).argmax(axis=-1)
    output = run_predict(tmp_path / "build" / "demo" / "predict", tmp_path)
    assert output == f"{(digits == labels).sum()} of 450 images right\n"


@pytest.mark.parametrize("kind", ["so", "a"])
def test_the_c_program_builds_with_cmake(kind: str, tmp_path: Path) -> None:
    cmake = require("cmake")
    require("cc")
    kerac.compile_library(DIGITS / "digits.keras", tmp_path / f"digits.{kind}")
    configure = [cmake, "-S", PROGRAM, "-B", tmp_path / "build", f"-DDIGITS={tmp_path}"]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([cmake, "--build", tmp_path / "build"], check=True, stdout=subprocess.DEVNULL)
    output = run_predict(tmp_path / "build" / "predict", tmp_path)
    correct, total = map(int, re.findall(r"\d+", output))
    assert total == 450
    assert correct >= 441


@pytest.mark.slow
def test_the_demo_runs_to_its_end() -> None:
    result = subprocess.run(
        [sys.executable, DIGITS / "demo.py"], check=True, capture_output=True, text=True, cwd="/"
    )
    assert re.search(r"\d{3} of 450 images right: 9\d\.\d%", result.stdout)
    learned = re.search(r"held-out images: (\d+\.\d+)%", result.stdout)
    assert learned
    assert float(learned[1]) >= 98
    assert "fold_batch_norm" in result.stdout
    assert (ROOT / "build" / "demo" / "digits.html").stat().st_size > 10_000
