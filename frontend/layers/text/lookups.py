"""Tokens to numbers and back: texts in Python, integers as native code."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import TensorType
from kerac.layers.categories import encoded, found_in
from kerac.layers.text.base import (
    Array,
    TextLayer,
    TextType,
    encoded_array,
    encoded_type,
    texts_of,
)
from kerac.layers.text.hashes import farmhash64, siphash24
from kerac.layers.text.vocabulary import OutputMode, VocabularyLayer
from kerac.tracing import current_trace


class StringLookup(VocabularyLayer, TextLayer):
    """Texts to their numbers in a vocabulary; `invert` makes numbers texts again."""

    token_kind: ClassVar[type] = str

    max_tokens: int | None = None
    num_oov_indices: int = 1
    mask_token: str | None = None
    oov_token: str | None = "[UNK]"
    vocabulary: Any = None
    idf_weights: Any = None
    invert: bool = False
    output_mode: OutputMode = "int"
    pad_to_max_tokens: bool = False
    sparse: bool = False
    encoding: str = "utf-8"
    name: str | None = None
    salt: Any = None

    def encode(self, inputs: Any) -> Array:
        if self.invert:
            return self._texts(np.asarray(inputs))
        texts = texts_of(inputs, self.encoding)
        numbers = self.numbers_of(texts.reshape(-1)).reshape(texts.shape)
        return self.encode_numbers(numbers)

    def numbers_of(self, tokens: Array) -> Array:
        """The number of each text of a list."""
        numbers = {token: self.token_start + place for place, token in enumerate(self.tokens)}
        if self.mask_token is not None:
            numbers[self.mask_token] = 0 if self.output_mode == "int" else -1
        found = [numbers.get(token) for token in tokens]
        missing = sorted({token for token, n in zip(tokens, found, strict=True) if n is None})
        if missing and not self.num_oov_indices:
            raise CompileError(
                f"{self.name}: meets {missing[0]!r}, but the vocabulary does not have it",
                remedy="Make the layer with num_oov_indices=1.",
            )
        others = {token: self.oov_start + self._bucket(token) for token in missing}
        return np.array(
            [others[t] if n is None else n for t, n in zip(tokens, found, strict=True)], np.int64
        )

    def _bucket(self, token: str) -> int:
        if self.num_oov_indices == 1:
            return 0
        data = token.encode(self.encoding)
        number = farmhash64(data) if self.salt is None else siphash24(data, *self.salt)
        return number % self.num_oov_indices

    def encode_numbers(self, numbers: Array) -> Array:
        """Numbers as output_mode says; negative ones are left out."""
        if self.output_mode == "int":
            return numbers
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        found = encoded_array(numbers, mode, self.depth())
        if self.output_mode == "tf_idf" and self.token_weights is not None:
            found = found * self.token_weights
        return found

    def _texts(self, numbers: Array) -> Array:
        known = self.get_vocabulary()
        texts = [known[n] if 0 <= n < len(known) else self.oov_token for n in numbers.flat]
        return np.array(texts, dtype=object).reshape(numbers.shape).astype(str)

    def output_type(self, shapes: Any) -> TensorType:
        if self.invert:
            return TextType("string", tuple(shapes))
        if self.output_mode == "int":
            return TensorType("i64", tuple(shapes))
        return encoded_type(tuple(shapes), self.output_mode, self.depth())


class IntegerLookup(VocabularyLayer):
    """Integers to their numbers in a vocabulary, and back, as native code."""

    token_kind: ClassVar[type] = int

    max_tokens: int | None = None
    num_oov_indices: int = 1
    mask_token: int | None = None
    oov_token: int | None = -1
    vocabulary: Any = None
    vocabulary_dtype: Literal["int64"] = "int64"
    idf_weights: Any = None
    invert: bool = False
    output_mode: OutputMode = "int"
    sparse: bool = False
    pad_to_max_tokens: bool = False
    oov_method: Literal["floormod", "farmhash"] = "floormod"
    salt: Any = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.oov_method != "floormod" or self.salt is not None:
            raise UnsupportedError(
                f"IntegerLookup {self.name!r}: spreads unknown integers by a hash of their text, "
                "but native code has no text",
                remedy='Make the layer with oov_method="floormod".',
            )
        super().__post_init__()

    def call(self, inputs: Value) -> Any:
        if not self.tokens and (self.frozen_size is None or current_trace().with_weights):
            raise self.has_none()
        if not self.tokens:
            return self._like_results(inputs)
        if self.invert:
            return self._tokens_of(ops.cast(inputs, "i64"))
        numbers = self._numbers_of(ops.cast(inputs, "i64"))
        if self.output_mode == "int":
            return numbers
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        found = encoded(numbers, mode, self.depth())
        if self.output_mode == "tf_idf" and self.token_weights is not None:
            found = ops.multiply(found, ops.constant(self.token_weights))
        return found

    def _like_results(self, inputs: Value) -> Value:
        """Values of the type of results, before the vocabulary is read from a file."""
        numbers = ops.cast(inputs, "i64")
        if self.output_mode == "int":
            return numbers
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return encoded(numbers, mode, self.depth())

    def _numbers_of(self, x: Value) -> Value:
        order = np.argsort(self.tokens)
        place, is_there = found_in(np.array(self.tokens)[order], x)
        known = ops.gather(ops.constant((order + self.token_start).astype("int64")), place)
        numbers = ops.select(is_there, known, self._outside(x))
        if self.mask_token is None:
            return numbers
        masked = ops.constant(0 if self.output_mode == "int" else -1, "i64")
        is_mask = ops.Equal()(x, ops.constant(self.mask_token, "i64"))
        return ops.select(is_mask, masked, numbers)

    def _outside(self, x: Value) -> Value:
        """The number of an integer that the vocabulary does not have; -1 where there is none."""
        if self.num_oov_indices < 2:
            number = self.oov_start if self.num_oov_indices else -1
            return ops.constant(number, "i64")
        exact = ops.cast(x, "f64")
        quotient = ops.Floor()(ops.divide(exact, float(self.num_oov_indices)))
        rest = ops.subtract(exact, ops.multiply(quotient, float(self.num_oov_indices)))
        return ops.add(ops.cast(rest, "i64"), ops.constant(self.oov_start, "i64"))

    def _tokens_of(self, numbers: Value) -> Value:
        oov = -1 if self.oov_token is None else self.oov_token
        mask = 0 if self.mask_token is None else self.mask_token
        special = [mask] * self.oov_start + [oov] * self.num_oov_indices
        table = np.array([*special, *self.tokens], "int64")
        not_less = ops.binary(ops.GreaterEqual(), numbers, 0)
        inside = ops.LogicalAnd()(not_less, ops.binary(ops.Less(), numbers, len(table)))
        return ops.select(
            inside, ops.gather(ops.constant(table), numbers), ops.constant(oov, "i64")
        )
