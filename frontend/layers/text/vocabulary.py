"""Vocabularies: given, read from data by `adapt`, written to files; of texts or of integers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from kerac.initializers import Ones
from kerac.ir.errors import CompileError
from kerac.layers.base import Layer
from kerac.layers.categories import batches_of, refuse_sparse
from kerac.variable import Variable

Array = np.ndarray[Any, np.dtype[Any]]
OutputMode = Literal["int", "one_hot", "multi_hot", "count", "tf_idf"]
IDF = "idf_weights"
OLD_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


class VocabularyLayer(Layer, registered=False):
    """Base of lookups. Tokens have numbers from `token_start` on, most frequent ones first.

    Before them stand the mask token (with output_mode "int") and numbers for all other tokens.
    """

    token_kind: ClassVar[type] = str

    max_tokens: int | None = None
    num_oov_indices: int = 1
    mask_token: Any = None
    oov_token: Any = None
    vocabulary: Any = None
    idf_weights: Any = None
    invert: bool = False
    output_mode: OutputMode = "int"
    pad_to_max_tokens: bool = False
    sparse: bool = False
    salt: Any = None
    frozen_size: int | None = None
    """How many tokens a file says that there will be, special ones included."""
    oov_method: Literal["floormod", "farmhash"] = "floormod"

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        given = arguments.get("output_mode")
        if isinstance(given, str):
            arguments["output_mode"] = OLD_MODES.get(given, given)
        if "vocabulary_size" in arguments:
            arguments["frozen_size"] = arguments.pop("vocabulary_size")
        arguments.pop("has_input_vocabulary", None)
        return arguments

    def _initialize(self) -> None:
        super()._initialize()
        self._idf: Variable | None = None

    def __post_init__(self) -> None:
        refuse_sparse(self)
        self.adapted = 0
        self.tokens: list[Any] = []
        self._counts: Counter[Any] = Counter()
        self._documents: Counter[Any] = Counter()
        self._document_count = 0
        self._check_arguments()
        if isinstance(self.salt, int):
            self.salt = [self.salt, self.salt]
        given, weights = self.vocabulary, self.idf_weights
        if given is not None:
            if isinstance(given, str | os.PathLike):
                given, self.vocabulary = read_tokens(given), None
            else:
                self.vocabulary = np.asarray(given).tolist()
            self.set_vocabulary(given, weights)
            self.idf_weights = None if weights is None else np.asarray(weights).tolist()

    def _check_arguments(self) -> None:
        title = f"{type(self).__name__} {self.name!r}"
        if self.max_tokens is not None and self.max_tokens < 2:
            raise CompileError(f"{title}: max_tokens is {self.max_tokens}, but must exceed 1")
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise CompileError(f"{title}: pad_to_max_tokens is given, but max_tokens is not")
        if self.num_oov_indices < 0:
            raise CompileError(
                f"{title}: num_oov_indices is {self.num_oov_indices}, but must not be negative"
            )
        if self.invert and self.output_mode != "int":
            raise CompileError(
                f"{title}: is inverted, but output_mode is {self.output_mode!r}, not 'int'"
            )
        weighted = self.output_mode == "tf_idf"
        if self.idf_weights is not None and not weighted:
            raise CompileError(
                f"{title}: idf_weights are given, but output_mode is {self.output_mode!r}"
            )
        if weighted and self.vocabulary is not None and self.idf_weights is None:
            raise CompileError(f"{title}: has a vocabulary for tf_idf, but no idf_weights")

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["frozen_size"]
        size = self.vocabulary_size() if self.tokens else None
        return config | {"vocabulary_size": size}

    # The vocabulary

    @property
    def oov_start(self) -> int:
        """The first number of tokens that the vocabulary does not have."""
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def token_start(self) -> int:
        """The number of the first token."""
        return self.oov_start + self.num_oov_indices

    def vocabulary_size(self) -> int:
        """Number of tokens, special ones included."""
        return self.token_start + len(self.tokens)

    def depth(self) -> int:
        """How long encoded results are."""
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        if self.tokens:
            return self.vocabulary_size()
        if self.frozen_size is None:
            raise self.has_none()
        return self.frozen_size

    def has_none(self) -> CompileError:
        """The error of one that is used before it has a vocabulary."""
        return CompileError(
            f"{type(self).__name__} {self.name!r}: has no vocabulary yet",
            remedy="Give it vocabulary=, or call its adapt(data) first.",
        )

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """All tokens by number."""
        special = [self.mask_token] * self.oov_start + [self.oov_token] * self.num_oov_indices
        return [*(special if include_special_tokens else []), *self.tokens]

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary; special tokens may stand in front, all of them or none."""
        given = [self._token(token) for token in np.asarray(vocabulary).reshape(-1).tolist()]
        title = f"{type(self).__name__} {self.name!r}"
        special = self.get_vocabulary()[: self.token_start]
        begins = given[: self.token_start] == special
        tokens = given[self.token_start :] if begins else given
        if not given:
            raise CompileError(f"{title}: the vocabulary is empty, but must hold tokens")
        twice = [token for token, count in Counter(tokens).items() if count > 1]
        if twice:
            raise CompileError(f"{title}: the vocabulary holds {twice[0]!r} more than once")
        reserved = [self.mask_token] + ([self.oov_token] if self.invert else [])
        misplaced = [token for token in reserved if token is not None and token in tokens]
        if misplaced:
            raise CompileError(
                f"{title}: {misplaced[0]!r} stands among the tokens, but is a special token",
                remedy=f"Leave special tokens out, or begin with all of them: {special}.",
            )
        size = self.token_start + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise CompileError(
                f"{title}: the vocabulary has {size} tokens, but max_tokens is {self.max_tokens}"
            )
        self.tokens = tokens
        self.adapted += 1
        if self.output_mode == "tf_idf":
            self._set_weights(idf_weights, len(given), begins)

    def _set_weights(self, idf_weights: Any, count: int, begins: bool) -> None:
        weights = None if idf_weights is None else np.asarray(idf_weights, np.float32)
        if weights is None or weights.shape != (count,):
            shape = None if weights is None else weights.shape
            raise CompileError(
                f"{type(self).__name__} {self.name!r}: the vocabulary has {count} tokens, "
                f"but idf_weights have the shape {shape}"
            )
        before = 0 if begins else self.token_start
        self._keep_weights(np.pad(weights, (before, 0), constant_values=weights.mean()))

    def _keep_weights(self, weights: Array) -> None:
        behind = max(self.depth() - len(weights), 0)
        self._idf = self._weights_of(len(weights) + behind)
        self._idf.assign(np.pad(weights, (0, behind)))

    def _weights_of(self, count: int) -> Variable:
        return Variable(Ones(), (count,), trainable=False, name=IDF, path=f"{self.name}/{IDF}")

    @property
    def token_weights(self) -> Array | None:
        """What counts are multiplied with for "tf_idf", for every number."""
        return None if self._idf is None else self._idf.array

    def _token(self, token: Any) -> Any:
        if isinstance(token, bytes):
            token = token.decode(getattr(self, "encoding", "utf-8"))
        return str(token) if self.token_kind is str else int(token)

    # Adapting

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Take the tokens of data as the vocabulary: an array, or batches."""
        self.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget the data."""
        self._counts, self._documents, self._document_count = Counter(), Counter(), 0

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch; a row is a document."""
        rows = np.asarray(data)
        if rows.ndim < 2:
            rows = rows.reshape(-1, 1)
        self.count(rows.reshape(len(rows), -1).tolist())

    def count(self, documents: Sequence[Sequence[Any]]) -> None:
        """Count tokens, and in how many documents each occurs."""
        if self.vocabulary is not None:
            raise CompileError(
                f"{type(self).__name__} {self.name!r}: adapts, but its vocabulary was given already"
            )
        for document in documents:
            tokens = [self._token(token) for token in document]
            self._counts.update(tokens)
            self._documents.update(set(tokens))
        self._document_count += len(documents)

    def finalize_state(self) -> None:
        """Make the vocabulary: the most frequent tokens, equally frequent ones in falling order."""
        counts = {
            token: count
            for token, count in self._counts.items()
            if token not in (self.mask_token, self.oov_token)
        }
        if not counts:
            raise CompileError(
                f"{type(self).__name__} {self.name!r}: adapts to data, but that holds no tokens"
            )
        order = sorted(counts, key=lambda token: (counts[token], self._rank(token)), reverse=True)
        if self.max_tokens is not None:
            order = order[: self.max_tokens - self.token_start]
        self.tokens = order
        self.adapted += 1
        if self.output_mode == "tf_idf":
            documents = np.array([self._documents[token] for token in order], np.float64)
            weights = np.log(1 + self._document_count / (1 + documents)).astype(np.float32)
            front = np.pad(weights, (self.token_start, 0), constant_values=weights.mean())
            self._keep_weights(front)
        self.reset_state()

    def _rank(self, token: Any) -> Any:
        return token.encode() if isinstance(token, str) else token

    # Files

    def assets(self) -> dict[str, str]:
        """Files of a saved model, by name."""
        if self.vocabulary is not None or not self.tokens:
            return {}
        return {"vocabulary.txt": "\n".join(map(str, self.get_vocabulary()))}

    def named_variables(self) -> dict[str, Variable]:
        is_known = bool(self.tokens) or self.frozen_size is not None
        if self.output_mode != "tf_idf" or not is_known:
            return {}
        if self._idf is None:
            self._idf = self._weights_of(self.depth())
        return {IDF: self._idf}

    def load_assets(self, files: dict[str, str]) -> None:
        """Take what `assets` made, or Keras."""
        text = files.get("vocabulary.txt")
        if text is None or self.vocabulary is not None:
            return
        lines = text.split("\n")
        # the last token may be the empty one, but editors add empty lines, too
        while lines and not lines[-1] and len(lines) != self.frozen_size:
            lines.pop()
        weights = self.token_weights
        self.set_vocabulary(lines, None if weights is None else weights[: len(lines)])


def read_tokens(path: str | os.PathLike[str]) -> list[str]:
    """One token a line; the caller names the file in code, never a model."""
    return Path(path).read_text(encoding="utf-8").splitlines()
