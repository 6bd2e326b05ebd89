"""Sequences of different lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerac.ir.errors import CompileError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> Array:
    """An array in which every sequence has the length `maxlen`, or that of the longest.

    Shorter ones get `value` before ("pre") or after ("post") what they hold; of longer ones the
    end ("pre" truncates the start) or the start is kept. Items may be arrays of equal shapes.
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise CompileError(
                f"pad_sequences: {name} is {side!r}, but 'pre' or 'post' is expected"
            )
    lengths = [_length(sequence, place) for place, sequence in enumerate(sequences)]
    if isinstance(value, str) and np.dtype(dtype).kind not in "OSU":
        raise CompileError(
            f"pad_sequences: value is the text {value!r}, but dtype is {np.dtype(dtype).name}",
            remedy="Use dtype=object for texts of any length.",
        )
    longest = max(lengths, default=0) if maxlen is None else maxlen
    filled = [place for place, length in enumerate(lengths) if length]
    item_shape = np.asarray(sequences[filled[0]]).shape[1:] if filled else ()
    padded = np.full((len(sequences), longest, *item_shape), value, dtype=dtype)
    for place in filled if longest else ():
        sequence = sequences[place]
        kept = np.asarray(
            sequence[-longest:] if truncating == "pre" else sequence[:longest], dtype=dtype
        )
        if kept.shape[1:] != item_shape:
            raise ShapeError(
                f"pad_sequences: items of sequence {place} have the shape {kept.shape[1:]}, "
                f"but those of sequence {filled[0]} have {item_shape}"
            )
        where = slice(longest - len(kept), None) if padding == "pre" else slice(len(kept))
        padded[place, where] = kept
    return padded


def _length(sequence: Any, place: int) -> int:
    try:
        return len(sequence)
    except TypeError:
        raise CompileError(
            f"pad_sequences: item {place} is {sequence!r:.40}, but a sequence is expected"
        ) from None
