"""Whole texts to the numbers of their words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from kerac.ir import symbol
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from kerac.ir.types import TensorType
from kerac.layers.base import Layer
from kerac.layers.categories import batches_of
from kerac.layers.text.base import Array, TextLayer, encoded_type, texts_of
from kerac.layers.text.lookups import StringLookup
from kerac.layers.text.vocabulary import OLD_MODES, OutputMode
from kerac.variable import Variable

PUNCTUATION = re.compile(r"[!\"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']")
BLANKS = re.compile(r"[ \t\n\v\f\r]+")
# TensorFlow knows capitals of ASCII alone.
SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
STANDARDS = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
SPLITS = ("whitespace", "character")


class TextVectorization(TextLayer):
    """Texts, one a row, cleaned, split into words or n-grams, and looked up in a vocabulary.

    Functions may be given for `standardize` (texts to texts) and `split` (texts to lists of words).
    """

    max_tokens: int | None = None
    standardize: Any = "lower_and_strip_punctuation"
    split: Any = "whitespace"
    ngrams: int | tuple[int, ...] | None = None
    output_mode: OutputMode = "int"
    output_sequence_length: int | None = None
    pad_to_max_tokens: bool = False
    vocabulary: Any = None
    idf_weights: Any = None
    frozen_size: int | None = None
    sparse: bool = False
    ragged: bool = False
    encoding: str = "utf-8"
    name: str | None = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        given = arguments.get("output_mode")
        if isinstance(given, str):
            arguments["output_mode"] = OLD_MODES.get(given, given)
        if "vocabulary_size" in arguments:
            arguments["frozen_size"] = arguments.pop("vocabulary_size")
        arguments.pop("has_input_vocabulary", None)
        return arguments

    def __post_init__(self) -> None:
        title = f"TextVectorization {self.name!r}"
        for name, known in (("standardize", STANDARDS), ("split", SPLITS)):
            given = getattr(self, name)
            if given is not None and not callable(given) and given not in known:
                raise CompileError(
                    f"{title}: {name} is {given!r:.40}, "
                    f"but one of {', '.join(map(repr, known))} or None is expected"
                )
        if self.ragged:
            raise UnsupportedError(f"{title}: ragged=True is given, but results are dense")
        if self.output_mode == "one_hot":
            raise UnsupportedError(f"{title}: has no output_mode 'one_hot' for several words")
        if self.output_mode != "int" and self.output_sequence_length is not None:
            raise CompileError(
                f"{title}: output_sequence_length is given, but output_mode is not 'int'"
            )
        self._lookup = StringLookup(
            max_tokens=self.max_tokens,
            mask_token="",
            vocabulary=self.vocabulary,
            idf_weights=self.idf_weights,
            output_mode=self.output_mode,
            pad_to_max_tokens=self.pad_to_max_tokens,
            sparse=self.sparse,
            encoding=self.encoding,
            frozen_size=self.frozen_size,
        )
        self.vocabulary, self.idf_weights = self._lookup.vocabulary, self._lookup.idf_weights

    def get_config(self) -> dict[str, Any]:
        if callable(self.standardize) or callable(self.split):
            raise UnsupportedError(
                f"TextVectorization {self.name!r}: standardizes or splits by a function, "
                "but a file holds no code"
            )
        config = super().get_config()
        del config["frozen_size"]
        return config | {"vocabulary_size": self.vocabulary_size()}

    # The vocabulary

    @property
    def adapted(self) -> int:
        """How often the vocabulary was changed."""
        return self._lookup.adapted

    def vocabulary_size(self) -> int:
        """Number of tokens, special ones included."""
        return self._lookup.vocabulary_size()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """All tokens by number."""
        return self._lookup.get_vocabulary(include_special_tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary."""
        self._lookup.set_vocabulary(vocabulary, idf_weights)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Take the words of texts as the vocabulary: an array, or batches."""
        del batch_size  # makes no difference
        self.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget the data."""
        self._lookup.reset_state()

    def update_state(self, data: Any) -> None:
        """Count the words of a batch of texts."""
        self._lookup.count(self.words(data))

    def finalize_state(self) -> None:
        """Make the vocabulary from what was counted."""
        self._lookup.finalize_state()

    def children(self) -> dict[str, Layer | Sequence[Layer]]:
        return {"_lookup_layer": self._lookup}

    def assets(self) -> dict[str, str]:
        return self._lookup.assets()

    def named_variables(self) -> dict[str, Variable]:
        return self._lookup.named_variables()

    def load_assets(self, files: dict[str, str]) -> None:
        self._lookup.load_assets(files)

    # Texts to numbers

    def words(self, inputs: Any) -> list[list[str]]:
        """The tokens of each text."""
        texts = texts_of(inputs, self.encoding)
        if texts.ndim == 0:
            texts = texts.reshape(1)
        texts = self._standard(texts)
        if self.split is None:
            rows = [list(row) for row in texts.reshape(len(texts), -1)]
        else:
            if texts.ndim > 2 or (texts.ndim == 2 and texts.shape[1] != 1):
                raise ShapeError(
                    f"{self.name}: reads one text a row, but its input has the shape {texts.shape}"
                )
            rows = self._split(texts.reshape(-1))
        if self.ngrams is None:
            return rows
        widths = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [list(chain.from_iterable(_runs(row, width) for width in widths)) for row in rows]

    def _standard(self, texts: Array) -> Array:
        if callable(self.standardize):
            return texts_of(self.standardize(texts), self.encoding)
        given = str(self.standardize)
        steps: list[Callable[[str], str]] = []
        if "lower" in given:
            steps.append(lambda text: text.translate(SMALL))
        if "strip_punctuation" in given:
            steps.append(lambda text: PUNCTUATION.sub("", text))
        for step in steps:
            texts = np.array([step(text) for text in texts.flat], dtype=object).reshape(texts.shape)
        return texts

    def _split(self, texts: Array) -> list[list[str]]:
        if callable(self.split):
            return [[str(word) for word in row] for row in self.split(texts)]
        if self.split == "character":
            return [list(text) for text in texts]
        return [[word for word in BLANKS.split(text) if word] for text in texts]

    def encode(self, inputs: Any) -> Array:
        rows = self.words(inputs)
        flat = self._lookup.numbers_of(np.array([w for row in rows for w in row], dtype=object))
        found = np.split(flat, np.cumsum([len(row) for row in rows])[:-1])
        if self.output_mode == "int":
            length = self.output_sequence_length
            return _padded(found, max(map(len, found)) if length is None else length, 0)
        return self._lookup.encode_numbers(_padded(found, max(map(len, found)), -1))

    def output_type(self, shapes: Any) -> TensorType:
        batch = tuple(shapes)[:1]
        if self.output_mode == "int":
            length = self.output_sequence_length
            return TensorType("i64", (*batch, symbol("unknown") if length is None else length))
        return encoded_type((*batch, 1), self.output_mode, self._lookup.depth())


def _runs(words: list[str], width: int) -> list[str]:
    return [" ".join(words[at : at + width]) for at in range(len(words) - width + 1)]


def _padded(rows: list[Array], length: int, value: int) -> Array:
    table = np.full((len(rows), length), value, np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row[:length]
    return table
