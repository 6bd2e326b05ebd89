"""Numbers for tokens without a vocabulary: by their hashes, as TensorFlow computes these."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from kerac.dtype_policies import DTypePolicy
from kerac.ir.errors import CompileError, ShapeError
from kerac.ir.types import TensorType
from kerac.layers.categories import Encoding, refuse_sparse
from kerac.layers.text.base import Array, TextLayer, encoded_array, encoded_type, texts_of
from kerac.layers.text.hashes import crossed, farmhash64, siphash24


class _Bins(TextLayer, registered=False):
    """Base: numbers below `num_bins`; the dtype of results is written into configs."""

    num_bins: int
    output_mode: Encoding = "int"
    sparse: bool = False

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        given = kwargs.pop("dtype", None)
        found = super()._by_name(args, kwargs)
        name = given.get("config", {}).get("name") if isinstance(given, dict) else given
        name = getattr(name, "config", {}).get("name", name)
        if name not in ("int32", "int64"):
            found["dtype"] = self._settled_dtype(given, found["name"])
        return found

    def __post_init__(self) -> None:
        refuse_sparse(self)
        if self.num_bins < 1:
            raise CompileError(
                f"{type(self).__name__} {self.name!r}: num_bins is {self.num_bins}, "
                "but must be positive"
            )

    def result_dtype(self) -> str:
        """The dtype that Keras's layer has for this mode."""
        return "int64" if self.output_mode == "int" else "float32"

    def encode_bins(self, numbers: Array) -> Array:
        """Numbers as output_mode says."""
        if self.output_mode == "int":
            return numbers
        return encoded_array(numbers, self.output_mode, self.num_bins)

    def type_of_bins(self, shape: Any) -> TensorType:
        """The type of results for inputs of a shape."""
        if self.output_mode == "int":
            return TensorType("i64", tuple(shape))
        return encoded_type(tuple(shape), self.output_mode, self.num_bins)


class Hashing(_Bins):
    """Tokens to numbers by FarmHash, or with a `salt` by SipHash; `mask_value` is number 0."""

    num_bins: int
    mask_value: Any = None
    salt: Any = None
    output_mode: Encoding = "int"
    sparse: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.salt, int):
            self.salt = [self.salt, self.salt]
        if self.salt is not None and len(self.salt) != 2:
            raise CompileError(
                f"Hashing {self.name!r}: salt is {self.salt!r:.40}, but must be one or two integers"
            )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dtype": DTypePolicy(self.result_dtype()).serialize()}

    def encode(self, inputs: Any) -> Array:
        array = np.asarray(inputs)
        if array.dtype.kind == "f":
            array = array.astype(np.int64)
        if self.output_mode == "one_hot" and array.shape[-1:] == (1,):
            array = array[..., 0]
        texts = texts_of(array)
        skipped = int(self.mask_value is not None and self.num_bins > 1)
        bins = self.num_bins - skipped
        numbers = [skipped + self._hash(text) % bins for text in texts.flat]
        found = np.array(numbers, np.int64).reshape(array.shape)
        if skipped:
            mask = texts_of([self.mask_value])[0]
            found[texts == mask] = 0
        return self.encode_bins(found)

    def _hash(self, text: str) -> int:
        data = text.encode()
        return farmhash64(data) if self.salt is None else siphash24(data, *self.salt)

    def output_type(self, shapes: Any) -> TensorType:
        return self.type_of_bins(shapes)


class HashedCrossing(_Bins):
    """A number for what several features are together, each of shape (N,) or (N, 1)."""

    num_bins: int
    output_mode: Literal["int", "one_hot"] = "int"
    sparse: bool = False

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"dtype": self.result_dtype()}
        del config["trainable"]  # Keras has no such argument here
        return config

    def encode(self, inputs: Any) -> Array:
        arrays = [np.asarray(x) for x in inputs]
        self._check([x.shape for x in arrays])
        if any(x.dtype.kind == "f" for x in arrays):
            raise CompileError(f"{self.name}: its inputs must be integers or texts, but are not")
        prints = [[_fingerprint(token) for token in x.reshape(-1).tolist()] for x in arrays]
        numbers = [crossed(list(row)) % self.num_bins for row in zip(*prints, strict=True)]
        return self.encode_bins(np.array(numbers, np.int64).reshape(arrays[0].shape))

    def output_type(self, shapes: Any) -> TensorType:
        self._check(shapes)
        return self.type_of_bins(shapes[0])

    def _check(self, shapes: Any) -> None:
        several = isinstance(shapes, list | tuple) and len(shapes) > 1
        if not several or any(tuple(shape) != tuple(shapes[0]) for shape in shapes):
            raise ShapeError(
                f"{self.name}: needs two or more inputs of one shape, but got {shapes}"
            )
        if len(shapes[0]) > 2 or tuple(shapes[0])[1:] not in ((), (1,)):
            raise ShapeError(
                f"{self.name}: its inputs must have the shape (N,) or (N, 1), but have {shapes[0]}"
            )


def _fingerprint(token: Any) -> int:
    if isinstance(token, str):
        return farmhash64(token.encode())
    return farmhash64(token) if isinstance(token, bytes) else int(token)
