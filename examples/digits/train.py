"""Train a small convolutional network on scikit-learn's handwritten digits, with Keras itself.

Writes the files that the demo and the tests use, beside this script:

* digits.keras: the trained network, as Keras saves it, without the optimizer's state
* training.npz: the images it learned from (`images`, uint8 of 0 to 16) and their `labels`
* held_out.npz: the images it never saw (`images`, float32 of 0 to 1) and their `labels`

To make them anew, from the root of the repository:

    pip install -e '.[test]'
    python examples/digits/train.py

The seed fixes the split and the initial weights; the last digits depend on the machine.
"""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")    # read when keras is imported

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent
SEED = 7


def load_images() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images 8×8×1 between 0 and 1 and their labels: three quarters to train, one to hold out."""
    digits = load_digits()
    images = (digits.images[..., np.newaxis] / 16).astype(np.float32)
    labels = digits.target.astype(np.int32)
    return train_test_split(images, labels, test_size=0.25, stratify=labels, random_state=SEED)


def build_network() -> keras.Model:
    """Two convolutions, batch normalization, pooling, and a softmax over ten classes."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            keras.layers.Conv2D(16, 3, padding="same", use_bias=False, name="edges"),
            keras.layers.BatchNormalization(name="edges_norm"),
            keras.layers.Activation("relu", name="edges_relu"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="strokes"),
            keras.layers.MaxPooling2D(name="pool"),
            keras.layers.Dropout(0.25, name="pool_dropout"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(64, activation="relu", name="hidden"),
            keras.layers.Dropout(0.5, name="hidden_dropout"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )


def main() -> None:
    """Train, report the accuracy on the held-out images, and write both files."""
    keras.utils.set_random_seed(SEED)
    train_images, held_out_images, train_labels, held_out_labels = load_images()
    model = build_network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_images, train_labels, batch_size=32, epochs=40, verbose=2)
    _, accuracy = model.evaluate(held_out_images, held_out_labels, verbose=0)
    print(f"accuracy on {len(held_out_labels)} held-out images: {accuracy:.2%}")

    trained = build_network()    # the same network without optimizer: a third of the size
    trained.set_weights(model.get_weights())
    trained.save(FOLDER / "digits.keras")
    pixels = np.round(train_images[..., 0] * 16).astype(np.uint8)
    np.savez_compressed(FOLDER / "training.npz", images=pixels, labels=train_labels)
    np.savez_compressed(FOLDER / "held_out.npz", images=held_out_images, labels=held_out_labels)


if __name__ == "__main__":
    main()
