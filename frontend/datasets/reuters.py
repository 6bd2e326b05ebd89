"""Reports of a news agency in 46 topics: 11,228 texts of numbered words."""

from __future__ import annotations

import numpy as np

from kerac.datasets.arrays import labels_of, read_npz
from kerac.datasets.files import STORAGE, PathLike, located
from kerac.datasets.words import Pair, Words, as_objects, read_word_index, shuffled

SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
WORDS_MD5 = "4d44cc38712099c9e383dc6e5f11a921"
TOPICS = (
    "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing",
    "money-supply", "coffee", "sugar", "trade", "reserves", "ship", "cotton", "carcass",
    "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp", "meal-feed", "alum",
    "oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi", "iron-steel",
    "rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas",
    "silver", "wpi", "hog", "lead",
)  # fmt: skip


def load_data(
    path: PathLike = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[Pair, Pair]:
    """(texts, topics) to train with and to test with; texts are lists in an array of objects.

    Arguments are those of `imdb.load_data`; the last `test_split` of the texts are to test with.
    """
    rows, labels = read_npz(located(path, f"{STORAGE}reuters.npz", SHA256), ("x", "y"))
    words = Words(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    generator = np.random.RandomState(seed)  # Keras's order for a seed
    rows, labels = shuffled(rows, labels_of(labels), generator)
    rows, labels = words.short(words.numbered(rows), labels)
    rows = words.selected(rows)
    cut = int(len(rows) * (1 - test_split))
    return (as_objects(rows[:cut]), labels[:cut]), (as_objects(rows[cut:]), labels[cut:])


def get_word_index(path: PathLike = "reuters_word_index.json") -> dict[str, int]:
    """Words by their rank, 1 the most frequent one."""
    return read_word_index(located(path, f"{STORAGE}reuters_word_index.json", WORDS_MD5))


def get_label_names() -> tuple[str, ...]:
    """The topics, in the order of their labels."""
    return TOPICS
