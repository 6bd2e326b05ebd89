"""Sort small photographs into ten classes with a convolutional network, trained with Adam.

    python examples/training/cifar10_cnn.py                                 # fetches the images
    python examples/training/cifar10_cnn.py --data cifar-10-python.tar.gz   # reads what you have

What was fetched lies in ~/.kerac/datasets.
"""

import argparse
from pathlib import Path

import kerac as keras
from kerac.datasets import cifar10
from kerac.layers import Conv2D, Dense, Flatten, MaxPooling2D
from kerac.models import Sequential
from kerac.optimizers import Adam

NAMES = [
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
]  # fmt: skip


def build_network() -> Sequential:
    """Three convolutions with poolings between them, and two dense layers that decide."""
    model = Sequential()
    model.add(Conv2D(32, (3, 3), activation="relu", input_shape=(32, 32, 3)))
    model.add(MaxPooling2D((2, 2)))
    model.add(Conv2D(64, (3, 3), activation="relu"))
    model.add(MaxPooling2D((2, 2)))
    model.add(Conv2D(64, (3, 3), activation="relu"))
    model.add(Flatten())
    model.add(Dense(64, activation="relu"))
    model.add(Dense(len(NAMES), activation="softmax"))
    return model


def parse_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Train a convolutional network on CIFAR-10.")
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="the archive, or the folder that was in it"
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    return parser.parse_args()


def main() -> None:
    """Train, and say what the network sees in the first photographs it was not trained with."""
    arguments = parse_arguments()
    keras.utils.set_random_seed(1)
    # a bare name would be looked up in the cache
    path = {"path": arguments.data.absolute()} if arguments.data else {}
    (x_train, y_train), (x_test, y_test) = cifar10.load_data(**path)
    x_train = x_train.astype("float32") / 255.0
    x_test = x_test.astype("float32") / 255.0
    print(f"{len(x_train)} images to train with, {len(x_test)} to test with")
    y_train = keras.utils.to_categorical(y_train, num_classes=len(NAMES))
    y_test = keras.utils.to_categorical(y_test, num_classes=len(NAMES))

    model = build_network()
    model.compile(
        optimizer=Adam(lr=0.001), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(
        x_train,
        y_train,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        validation_data=(x_test, y_test),
    )
    predictions = model.predict(x_test, verbose=0).argmax(axis=-1)
    truths = y_test.argmax(axis=-1)
    print(f"Test accuracy: {history.history['val_accuracy'][-1]:.4f}")
    for seen, truth in zip(predictions[:5], truths[:5], strict=True):
        print(f"{NAMES[truth]:>10} seen as {NAMES[seen]}")


if __name__ == "__main__":
    main()
