"""Read handwritten digits with a convolutional network, trained with Adadelta.

    python examples/training/mnist_cnn.py                    # fetches the images once
    python examples/training/mnist_cnn.py --data mnist.npz   # reads a file that you have

What was fetched lies in ~/.kerac/datasets.
"""

import argparse
from pathlib import Path

import numpy as np

import kerac as keras
from kerac import backend as K  # noqa: N812
from kerac.datasets import mnist
from kerac.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from kerac.models import Sequential

CLASSES = 10
ROWS, COLUMNS = 28, 28
IMAGE = (1, ROWS, COLUMNS) if K.image_data_format() == "channels_first" else (ROWS, COLUMNS, 1)


def as_input(images: np.ndarray) -> np.ndarray:
    """Grey values 0 ... 255 of [N, 28, 28] as numbers 0 ... 1 with an axis for their channel."""
    return images.reshape(len(images), *IMAGE).astype("float32") / 255


def build_network() -> Sequential:
    """Two convolutions, and two dense layers that decide."""
    model = Sequential()
    model.add(Conv2D(32, kernel_size=(3, 3), activation="relu", input_shape=IMAGE))
    model.add(Conv2D(64, (3, 3), activation="relu"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(Dense(128, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(CLASSES, activation="softmax"))
    return model


def parse_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Train a convolutional network on MNIST.")
    parser.add_argument("--data", type=Path, metavar="FILE", help="mnist.npz, if you have it")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=128)
    return parser.parse_args()


def main() -> None:
    """Train, and count right answers on the images that are there for testing."""
    arguments = parse_arguments()
    keras.utils.set_random_seed(1)
    # a bare name would be looked up in the cache
    path = {"path": arguments.data.absolute()} if arguments.data else {}
    (x_train, digits_train), (x_test, digits_test) = mnist.load_data(**path)
    x_train, x_test = as_input(x_train), as_input(x_test)
    print(f"{len(x_train)} images to train with, {len(x_test)} to test with")
    y_train = keras.utils.to_categorical(digits_train, CLASSES)
    y_test = keras.utils.to_categorical(digits_test, CLASSES)

    model = build_network()
    # Adadelta's steps find their own length; the default rate, 0.001, would shorten all of them
    model.compile(
        loss=keras.losses.categorical_crossentropy,
        optimizer=keras.optimizers.Adadelta(lr=1.0),
        metrics=["accuracy"],
    )
    model.fit(
        x_train,
        y_train,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        verbose=1,
        validation_data=(x_test, y_test),
    )
    score = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test loss: {score[0]:.4f}")
    print(f"Test accuracy: {score[1]:.4f}")


if __name__ == "__main__":
    main()
