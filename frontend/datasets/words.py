"""What the two data sets of texts share: words as numbers in the order of their frequency."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError, FormatError

Array = np.ndarray[Any, Any]
Pair = tuple[Array, Array]
Rows = list[list[int]]
MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Words:
    """Which words are kept, and how the others and the start of a text are written."""

    num_words: int | None = None
    skip_top: int = 0
    maxlen: int | None = None
    start_char: int | None = 1
    oov_char: int | None = 2
    index_from: int = 3

    def numbered(self, rows: Rows) -> Rows:
        """Words counted from `index_from` on, the start of each text marked."""
        shift = self.index_from
        if self.start_char is not None:
            return [[self.start_char, *(word + shift for word in row)] for row in rows]
        return [[word + shift for word in row] for row in rows] if shift else rows

    def short(self, rows: Rows, labels: Array) -> tuple[Rows, Array]:
        """Texts of fewer than `maxlen` words; all of them where it is not given."""
        if not self.maxlen:
            return rows, labels
        kept = [place for place, row in enumerate(rows) if len(row) < self.maxlen]
        if not kept:
            raise CompileError(f"maxlen is {self.maxlen}, but all texts are longer")
        return [rows[place] for place in kept], labels[kept]

    def selected(self, rows: Rows) -> Rows:
        """The rows with `oov_char` in place of words that are too rare or too frequent."""
        most = self.num_words or max((max(row) for row in rows if row), default=0)
        low, other = self.skip_top, self.oov_char
        if other is None:
            return [[word for word in row if low <= word < most] for row in rows]
        return [[word if low <= word < most else other for word in row] for row in rows]


def shuffled(rows: Rows, labels: Array, generator: Any) -> tuple[Rows, Array]:
    """Both in the same order, that of Keras for a generator."""
    if len(rows) != len(labels):
        raise FormatError(f"there are {len(rows)} texts, but {len(labels)} labels")
    order = np.arange(len(rows))
    generator.shuffle(order)
    return [rows[place] for place in order], labels[order]


def as_objects(rows: Rows) -> Array:
    """An array whose items are lists."""
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


def read_word_index(path: Path) -> dict[str, int]:
    """Words by their rank, from a file of JSON."""
    if path.stat().st_size > MOST_BYTES:
        raise FormatError(f"{path}: has more than {MOST_BYTES} bytes, which is the limit")
    try:
        table = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: is no JSON: {error!s:.120}") from None
    if not isinstance(table, dict) or not all(type(rank) is int for rank in table.values()):
        raise FormatError(f"{path}: words with their ranks are expected, but it holds others")
    return table
