"""Tell three kinds of flowers apart by four lengths, with a small dense network.

    python examples/training/mlp_classifier.py
    python examples/training/mlp_classifier.py --model functional --plot curves.png --save mlp.keras

The flowers are drawn at random around the mean lengths of the three kinds of iris, in centimetres.
"""

import argparse
import importlib.util

import numpy as np

import kerac as keras
from kerac.layers import Activation, Dense, Dropout
from kerac.models import Input, Model, Sequential, load_model

MEANS = np.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
DEVIATIONS = np.array([0.45, 0.3, 0.3, 0.2])
KINDS, LENGTHS = MEANS.shape


def draw_flowers(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths f32[count, 4] and kinds i64[count]."""
    generator = np.random.default_rng(seed)
    kinds = generator.integers(0, KINDS, count)
    lengths = generator.normal(MEANS[kinds], DEVIATIONS)
    return lengths.astype("float32"), kinds


def sequential() -> Model:
    """The layers one after the other."""
    model = Sequential()
    model.add(Dense(units=64, activation="relu", input_dim=LENGTHS))
    model.add(Dropout(0.5))
    model.add(Dense(units=64, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(units=KINDS, activation="softmax"))
    return model


def functional() -> Model:
    """The same network as a function of its input."""
    inputs = Input(shape=(LENGTHS,))
    x = inputs
    for _ in range(2):
        x = Dense(units=64)(x)
        x = Activation("relu")(x)
        x = Dropout(0.5)(x)
    outputs = Dense(units=KINDS, activation="softmax")(x)
    return Model(inputs=[inputs], outputs=[outputs])


def parse_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Train a dense network on random flowers.")
    parser.add_argument("--model", choices=["sequential", "functional"], default="sequential")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--plot", metavar="FILE", help="draw the curves (needs matplotlib)")
    parser.add_argument("--save", metavar="FILE.keras", help="keep the trained network")
    return parser.parse_args()


def main() -> None:
    """Train with a fifth of the flowers held back, then count right answers on new ones."""
    arguments = parse_arguments()
    keras.utils.set_random_seed(1)
    x_train, kinds_train = draw_flowers(600, seed=2)
    x_test, kinds_test = draw_flowers(150, seed=3)
    y_train = keras.utils.to_categorical(kinds_train, KINDS)
    y_test = keras.utils.to_categorical(kinds_test, KINDS)

    model = sequential() if arguments.model == "sequential" else functional()
    model.summary()
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    history = model.fit(
        x_train, y_train, epochs=arguments.epochs, batch_size=32, validation_split=0.2, verbose=2
    )
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Validation accuracy: {history.history['val_acc'][-1]:.4f}")
    print(f"Test loss: {loss:.4f}")
    print(f"Test accuracy: {accuracy:.4f}")

    if arguments.plot and importlib.util.find_spec("matplotlib"):
        history.plot(arguments.plot)
        print(f"Curves: {arguments.plot}")
    elif arguments.plot:
        print("No curves: matplotlib is not installed")
    if arguments.save:
        answers = model.predict(x_test, verbose=0).argmax(axis=-1)
        model.save(arguments.save)
        again = load_model(arguments.save).predict(x_test, verbose=0).argmax(axis=-1)
        same = (again == answers).mean()
        print(f"Saved: {arguments.save}, whose answers are the same in {same:.0%}")


if __name__ == "__main__":
    main()
