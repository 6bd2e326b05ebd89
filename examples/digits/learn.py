"""Train the network of the demo with kerac: every step of training is native code.

    python examples/digits/learn.py build/demo/learned.keras

Writes the trained network and prints what it reads of the digits that it never saw. The images to
learn from are in training.npz beside this script, which train.py made.
"""

import sys
import time
from pathlib import Path

import numpy as np

import kerac as keras
from kerac import layers

FOLDER = Path(__file__).parent


def build_network() -> keras.Model:
    """Two convolutions, pooling, and a softmax over ten classes."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="edges"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="strokes"),
            layers.MaxPooling2D(name="pool"),
            layers.Dropout(0.25, name="pool_dropout"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dropout(0.5, name="hidden_dropout"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="learned",
    )


def main() -> None:
    """Train, report, save."""
    path = sys.argv[1] if len(sys.argv) > 1 else "learned.keras"
    with np.load(FOLDER / "training.npz") as data:
        images, labels = data["images"][..., np.newaxis] / np.float32(16), data["labels"]
    with np.load(FOLDER / "held_out.npz") as data:
        held_out, expected = data["images"], data["labels"]
    keras.utils.set_random_seed(7)
    model = build_network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(images, labels, batch_size=32, epochs=30, verbose=0)
    seconds = time.perf_counter() - start
    _, accuracy = model.evaluate(held_out, expected, verbose=0)
    print(f"learned {len(labels)} images in {seconds:.1f} s")
    print(f"accuracy on {len(expected)} held-out images: {accuracy:.2%}")
    model.save(path)


if __name__ == "__main__":
    main()
