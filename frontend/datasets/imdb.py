"""Reviews of films, good (1) or bad (0): 25,000 + 25,000 texts of numbered words."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from kerac.datasets.arrays import labels_of, read_npz
from kerac.datasets.files import STORAGE, PathLike, located
from kerac.datasets.words import Pair, Words, as_objects, read_word_index, shuffled
from kerac.ir.errors import CompileError

SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
WORDS_MD5 = "bfafd718b763782e994055a2d397834f"


def load_data(
    path: PathLike = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **kwargs: Any,
) -> tuple[Pair, Pair]:
    """(texts, labels) to train with and to test with; texts are lists in an array of objects.

    A word is its rank plus `index_from`: 4 is the most frequent one. Words whose number is less
    than `skip_top` or at least `num_words` become `oov_char` (or vanish if it is None);
    `start_char` begins each text. Texts of `maxlen` or more words are left out.
    """
    num_words = _modern(kwargs, num_words)
    file = located(path, f"{STORAGE}imdb.npz", SHA256)
    x_train, y_train, x_test, y_test = read_npz(file, ("x_train", "y_train", "x_test", "y_test"))
    words = Words(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    generator = np.random.RandomState(seed)  # Keras's order for a seed
    parts = []
    for rows, labels in ((x_train, y_train), (x_test, y_test)):
        rows, labels = shuffled(rows, labels_of(labels), generator)
        parts.append(words.short(words.numbered(rows), labels))
    (train, train_labels), (test, test_labels) = parts
    texts = words.selected(train + test)
    return (
        (as_objects(texts[: len(train)]), train_labels),
        (as_objects(texts[len(train) :]), test_labels),
    )


def get_word_index(path: PathLike = "imdb_word_index.json") -> dict[str, int]:
    """Words by their rank, 1 the most frequent one."""
    return read_word_index(located(path, f"{STORAGE}imdb_word_index.json", WORDS_MD5))


def _modern(kwargs: dict[str, Any], num_words: int | None) -> int | None:
    """`num_words`, which old scripts call `nb_words`."""
    if "nb_words" in kwargs:
        warnings.warn("nb_words is called num_words today", DeprecationWarning, stacklevel=3)
        num_words = kwargs.pop("nb_words")
    if kwargs:
        raise CompileError(f"imdb.load_data: has no argument {', '.join(map(repr, kwargs))}")
    return num_words
