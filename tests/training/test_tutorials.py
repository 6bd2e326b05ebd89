"""The programs in examples/training run to their end and learn, on small data made here."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kerac

FOLDER = Path(__file__).parents[2] / "examples" / "training"
CLASSES = 10


def run(program: str, *arguments: object) -> str:
    """What a program prints."""
    command = [sys.executable, str(FOLDER / program), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def accuracy(output: str) -> float:
    found = re.search(r"Test accuracy: (\d\.\d{4})", output)
    assert found, output
    return float(found[1])


def marked_images(count: int, side: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark noise with a bright square whose place is the class: u8[N, side, side, channels]."""
    generator = np.random.default_rng(4)
    classes = np.arange(count, dtype=np.uint8) % CLASSES
    images = generator.integers(0, 60, (count, side, side, channels), np.uint8)
    for image, number in zip(images, classes, strict=True):
        row, column = divmod(int(number), 5)
        top, left = 3 + row * side // 2, 1 + column * side // 5
        image[top : top + 6, left : left + 4] += 180
    return images, classes


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_mlp_classifier(kind: str, tmp_path: Path) -> None:
    saved, curves = tmp_path / "mlp.keras", tmp_path / "curves.png"
    output = run("mlp_classifier.py", "--model", kind, "--save", saved, "--plot", curves)
    assert accuracy(output) > 0.8
    assert "val_loss" in output
    assert "whose answers are the same in 100%" in output
    assert curves.exists() or "matplotlib is not installed" in output
    model = kerac.models.load_model(saved)
    assert model.predict(np.zeros((2, 4)), verbose=0).shape == (2, 3)


@pytest.mark.slow
def test_mnist_cnn(tmp_path: Path) -> None:
    images, digits = marked_images(320, 28, 1)
    images = images[..., 0]
    file = tmp_path / "mnist.npz"
    np.savez(file, x_train=images[:270], y_train=digits[:270],
             x_test=images[270:], y_test=digits[270:])  # fmt: skip
    output = run("mnist_cnn.py", "--data", file, "--epochs", 2, "--batch-size", 32)
    assert "270 images to train with, 50 to test with" in output
    assert accuracy(output) > 0.8


@pytest.mark.slow
def test_cifar10_cnn(tmp_path: Path) -> None:
    images, classes = marked_images(300, 32, 3)
    flat = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for number, name in enumerate(names):
        rows = slice(50 * number, 50 * (number + 1))
        batch = {b"data": flat[rows], b"labels": classes[rows].tolist()}
        (tmp_path / name).write_bytes(pickle.dumps(batch, protocol=2))
    output = run("cifar10_cnn.py", "--data", tmp_path, "--epochs", 4, "--batch-size", 25)
    assert "250 images to train with, 50 to test with" in output
    assert accuracy(output) > 0.8
    assert output.count(" seen as ") == 5


@pytest.mark.slow
def test_imdb_lstm(tmp_path: Path) -> None:
    generator = np.random.default_rng(6)
    kinds = generator.integers(0, 2, 240)
    # words 20 ... 29 praise, 30 ... 39 complain, and all others mean nothing
    reviews = np.empty(len(kinds), object)
    for place, kind in enumerate(kinds):
        telling = generator.integers(20, 30, 6) + 10 * (1 - kind)
        others = generator.integers(40, 200, generator.integers(2, 10))
        reviews[place] = generator.permutation([*telling, *others]).tolist()
    file = tmp_path / "imdb.npz"
    np.savez(file, x_train=reviews[:200], y_train=kinds[:200],
             x_test=reviews[200:], y_test=kinds[200:])  # fmt: skip
    output = run("imdb_lstm.py", "--data", file, "--epochs", 8, "--length", 12)
    assert "200 reviews to train with, 40 to test with" in output
    assert accuracy(output) > 0.8


def test_restricted_boltzmann_machine() -> None:
    output = run("rbm.py", "--epochs", 40)
    before, after = map(float, re.findall(r"(\d\.\d+) (?:before|after)", output))
    assert after < 0.6 * before
    assert accuracy(output) > 0.85
