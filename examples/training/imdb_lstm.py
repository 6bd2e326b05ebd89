"""Tell praise from complaint in reviews of films, with an LSTM that reads them word by word.

    python examples/training/imdb_lstm.py                   # fetches the reviews once
    python examples/training/imdb_lstm.py --data imdb.npz   # reads a file that you have

What was fetched lies in ~/.kerac/datasets.
"""

import argparse
from pathlib import Path

import kerac as keras
from kerac.datasets import imdb
from kerac.layers import LSTM, Dense, Embedding, SpatialDropout1D
from kerac.models import Sequential
from kerac.preprocessing import sequence

WORDS = 5000


def build_network(length: int) -> Sequential:
    """A vector for each word, an LSTM over them, and one number: how likely it is praise."""
    model = Sequential()
    model.add(Embedding(WORDS, 50, input_length=length))
    model.add(SpatialDropout1D(0.2))
    model.add(LSTM(100, dropout=0.2, recurrent_dropout=0.2))
    model.add(Dense(1, activation="sigmoid"))
    return model


def parse_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Train an LSTM on IMDB's reviews.")
    parser.add_argument("--data", type=Path, metavar="FILE", help="imdb.npz, if you have it")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--length", type=int, default=400, help="words of a review that are read")
    return parser.parse_args()


def main() -> None:
    """Train on reviews of one length: short ones are padded, of long ones the end is read."""
    arguments = parse_arguments()
    keras.utils.set_random_seed(1)
    # a bare name would be looked up in the cache
    path = {"path": arguments.data.absolute()} if arguments.data else {}
    (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=WORDS, **path)
    x_train = sequence.pad_sequences(x_train, maxlen=arguments.length)
    x_test = sequence.pad_sequences(x_test, maxlen=arguments.length)
    print(f"{len(x_train)} reviews to train with, {len(x_test)} to test with")

    model = build_network(arguments.length)
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.summary()
    model.fit(
        x_train,
        y_train,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        verbose=2,
        validation_data=(x_test, y_test),
    )
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test loss: {loss:.4f}")
    print(f"Test accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    main()
