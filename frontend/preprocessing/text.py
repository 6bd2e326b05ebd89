"""Texts as lists of numbers or as vectors, by splitting at spaces."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError, FormatError

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
MODES = ("binary", "count", "freq", "tfidf")
Text = str | Sequence[str]
Array = np.ndarray[Any, np.dtype[Any]]


def text_to_word_sequence(
    input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text; characters in `filters` separate words too."""
    if lower:
        input_text = input_text.lower()
    table = {ord(character): split for character in filters}
    separated = input_text.translate(table)
    return [word for word in separated.split(split) if word]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Callable[[str], int] | str | None = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Iterable[str]] | None = None,
) -> list[int]:
    """A number of 1 ... n - 1 for each word, by a hash; different words may share one.

    `hash_function="md5"` gives the same numbers everywhere, Python's own only in one process.
    """
    words = analyzer(text) if analyzer else text_to_word_sequence(text, filters, lower, split)
    if hash_function == "md5":
        hash_function = _md5
    elif isinstance(hash_function, str):
        raise CompileError(
            f"hash_function is {hash_function!r}, but 'md5' or a function is expected"
        )
    number = hash_function or hash
    return [number(word) % (n - 1) + 1 for word in words]


def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Iterable[str]] | None = None,
) -> list[int]:
    """`hashing_trick` with Python's own hash."""
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


class Tokenizer:
    """Numbers words by their frequency in texts: 1 the most frequent one, 0 none.

    With `oov_token` that token is number 1 and stands for words that are not known, or whose number
    is `num_words` or more; without it they vanish. Texts may be lists of words already.
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], Iterable[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        if "nb_words" in kwargs:
            warnings.warn("nb_words is called num_words today", DeprecationWarning, stacklevel=2)
            num_words = kwargs.pop("nb_words")
        self.document_count: int = kwargs.pop("document_count", 0)
        if kwargs:
            raise CompileError(f"Tokenizer: has no argument {', '.join(map(repr, kwargs))}")
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.word_counts: dict[str, int] = {}
        self.word_docs: Counter[str] = Counter()
        self.index_docs: Counter[int] = Counter()
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Text) -> list[str]:
        if not isinstance(text, str):
            return [word.lower() for word in text] if self.lower else list(text)
        if self.char_level:
            return list(text.lower() if self.lower else text)
        if self.analyzer:
            return list(self.analyzer(text))
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[Text]) -> None:
        """Count the words of more texts, and number all words anew."""
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            self.word_docs.update(set(words))
        ranked = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        first = [] if self.oov_token is None else [self.oov_token]
        self.word_index = {word: rank for rank, word in enumerate([*first, *ranked], 1)}
        self.index_word = {rank: word for word, rank in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Sequence[Iterable[int]]) -> None:
        """Count in how many sequences each number stands, for "tfidf"."""
        self.document_count += len(sequences)
        for sequence in sequences:
            self.index_docs.update(set(sequence))

    def texts_to_sequences(self, texts: Iterable[Text]) -> list[list[int]]:
        """The numbers of the words of each text."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Text]) -> Iterator[list[int]]:
        """The same, one text at a time."""
        for text in texts:
            numbers = (self._kept(self.word_index.get(word)) for word in self._words(text))
            yield [number for number in numbers if number is not None]

    def _kept(self, number: int | None) -> int | None:
        """The number itself, or that of `oov_token` where it is too large or not known."""
        if number is None or (self.num_words and number >= self.num_words):
            return None if self.oov_token is None else self.word_index.get(self.oov_token)
        return number

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of the numbers of each sequence."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """The same, one sequence at a time."""
        for sequence in sequences:
            known = (number if number in self.index_word else None for number in sequence)
            kept = (self._kept(number) for number in known)
            yield " ".join(self.index_word[number] for number in kept if number is not None)

    def texts_to_matrix(self, texts: Iterable[Text], mode: str = "binary") -> Array:
        """A row for each text, a column for each number."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(
        self, sequences: Sequence[Sequence[int]], mode: str = "binary"
    ) -> Array:
        """A row for each sequence, a column for each number.

        It holds whether the number occurs ("binary"), how often ("count"), which part of the
        sequence it is ("freq"), or that weighed by how rare it is ("tfidf").
        """
        if mode not in MODES:
            raise CompileError(f"mode is {mode!r}, but one of {', '.join(MODES)} is expected")
        if not self.num_words and not self.word_index:
            raise CompileError("Tokenizer: knows no words, but neither is num_words given")
        if mode == "tfidf" and not self.document_count:
            raise CompileError("Tokenizer: mode is 'tfidf', but no texts were counted")
        width = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), width))
        for row, sequence in zip(matrix, sequences, strict=True):
            for number, count in Counter(n for n in sequence if n < width).items():
                row[number] = self._weight(mode, number, count, len(sequence))
        return matrix

    def _weight(self, mode: str, number: int, count: int, length: int) -> float:
        if mode == "binary":
            return 1
        if mode == "count":
            return count
        if mode == "freq":
            return count / length
        rarity = np.log(1 + self.document_count / (1 + self.index_docs.get(number, 0)))
        return float((1 + np.log(count)) * rarity)

    def get_config(self) -> dict[str, Any]:
        """The arguments and what was counted, as Keras writes them."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs),
            "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word),
            "word_index": json.dumps(self.word_index),
        }

    def to_json(self, **keywords: Any) -> str:
        """The tokenizer as text, for `tokenizer_from_json`."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **keywords)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `to_json` wrote, here or in Keras."""
    try:
        config = dict(json.loads(json_string)["config"])
        tables = {
            name: _table(config.pop(name))
            for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        }
        tokenizer = Tokenizer(**config)
        tokenizer.word_counts = {word: int(n) for word, n in tables["word_counts"].items()}
        tokenizer.word_docs.update({word: int(n) for word, n in tables["word_docs"].items()})
        tokenizer.index_docs.update({int(n): int(c) for n, c in tables["index_docs"].items()})
        tokenizer.index_word = {int(n): str(word) for n, word in tables["index_word"].items()}
        tokenizer.word_index = {word: int(n) for word, n in tables["word_index"].items()}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"this is no tokenizer as to_json writes it: {error!s:.120}") from None
    return tokenizer


def _table(text: str) -> Mapping[str, Any]:
    table = json.loads(text)
    if not isinstance(table, dict):
        raise TypeError(f"{table!r:.40} is no table")
    return table


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)
