"""Layers that read text. Native code has none, so they run in Python before the network.

A model whose inputs are texts is split: what these layers make of them is the input of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.ir import Value
from kerac.ir.dims import DimLike, substitute, symbol
from kerac.ir.errors import InternalError, UnsupportedError
from kerac.ir.types import Shape, TensorType
from kerac.layers.base import Layer
from kerac.structure import leaves, map_structure
from kerac.tensor import KerasTensor, Node

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class TextType(TensorType):
    """Texts: no graph has them, only symbolic tensors of a model do."""

    def __post_init__(self) -> None:
        """Any shape is one of texts."""

    def with_shape(self, shape: Shape) -> TextType:
        return TextType("string", tuple(shape))

    def substitute(self, values: Mapping[str, DimLike]) -> TextType:
        return TextType("string", tuple(substitute(dim, values) for dim in self.shape))


class TextLayer(Layer, registered=False):
    """Base: arrays in, arrays out; on symbolic tensors a node that a model runs in Python."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("training", None)
        inputs = args[0] if args else kwargs.pop("inputs", None)
        tensors = leaves(inputs)
        if any(isinstance(x, Value) for x in tensors):
            raise UnsupportedError(
                f"{self.name}: reads text, but native code has none, so its input must be an "
                "input of the outermost model",
                remedy="Call it before the model, and give the model the numbers that it makes.",
            )
        if not any(isinstance(x, KerasTensor) for x in tensors):
            self.built = True
            return self.encode(inputs)
        shapes = map_structure(lambda x: x.type.shape, inputs)
        type_ = self.output_type(shapes)
        node = Node(self, (inputs,), {})
        node.outputs = KerasTensor(type_, node, 0, f"keras_tensor_{self.name}_0")
        self.nodes.append(node)
        self.built = True
        return node.outputs

    def encode(self, inputs: Any) -> Array:
        """What the layer makes of arrays."""
        raise InternalError(f"{type(self).__name__} does not encode")

    def output_type(self, shapes: Any) -> TensorType:
        """The type of the result for inputs of these shapes."""
        raise InternalError(f"{type(self).__name__} does not say what it returns")

    def compute_output_shape(self, *shapes: Any, **keywords: Any) -> Any:
        dims = [tuple(symbol("unknown") if n is None else n for n in shape) for shape in shapes]
        found = self.output_type(dims[0])
        return tuple(dim if isinstance(dim, int) else None for dim in found.shape)

    def assets(self) -> dict[str, str]:
        """Files of a saved model, by name."""
        return {}

    def load_assets(self, files: dict[str, str]) -> None:
        """Take what `assets` made, or Keras."""


def texts_of(inputs: Any, encoding: str = "utf-8") -> Array:
    """An array of Python's texts."""
    array = np.asarray(inputs)
    if array.dtype.kind == "O":
        decoded = [x.decode(encoding) if isinstance(x, bytes) else str(x) for x in array.flat]
        return np.array(decoded, dtype=object).reshape(array.shape)
    if array.dtype.kind == "S":
        return np.char.decode(array, encoding).astype(object)
    return array.astype(str).astype(object)


def encoded_array(numbers: Array, mode: str, depth: int) -> Array:
    """As `categories.encoded`, for arrays; f32."""
    if mode == "one_hot" and numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    marks: Array = (numbers[..., None] == np.arange(depth)).astype(np.float32)
    if mode == "one_hot":
        return marks
    axis = 1 if numbers.ndim > 1 else 0
    reduced: Array = marks.max(axis, initial=0.0) if mode == "multi_hot" else marks.sum(axis)
    return reduced


def encoded_type(shape: Shape, mode: str, depth: int) -> TensorType:
    """The type of what `encoded_array` makes of numbers of this shape."""
    if mode == "one_hot":
        kept = shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
        return TensorType("f32", (*kept, depth))
    return TensorType("f32", (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,))
