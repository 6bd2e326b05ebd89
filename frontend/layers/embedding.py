"""Vectors for numbers of words."""

from __future__ import annotations

from typing import Any, ClassVar

from kerac.constraints import MaybeConstraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.layers.base import Layer
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import traced


class Embedding(Layer):
    """A row of the table for each number; numbers outside are clamped to the nearest row.

    inputs: integer[...] -> f32[..., output_dim], mask: bool[...] if mask_zero
    """

    rarely_written: ClassVar[frozenset[str]] = Layer.rarely_written | {
        "lora_rank",
        "lora_alpha",
        "quantization_config",
    }
    autocast = False

    input_dim: int
    output_dim: int
    embeddings_initializer: Start = "uniform"
    embeddings_regularizer: MaybeRegularizer = None
    embeddings_constraint: MaybeConstraint = None
    mask_zero: bool = False
    lora_rank: None = None
    lora_alpha: None = None
    quantization_config: None = None

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        length = kwargs.get("input_length")
        given = super()._by_name(args, kwargs)
        if length is not None and self._given_shape is None:
            lengths = length if isinstance(length, list | tuple) else (length,)
            self._given_shape = (None, *lengths)
        if self._given_weights is not None and not isinstance(self._given_weights, list | tuple):
            self._given_weights = [self._given_weights]
        return given

    def __post_init__(self) -> None:
        for name in ("input_dim", "output_dim"):
            if getattr(self, name) < 1:
                raise CompileError(
                    f"Embedding {self.name!r}: {name} is {getattr(self, name)}, "
                    "but must be positive"
                )
        self.supports_masking = self.mask_zero

    def build(self, input_shape: Any = None) -> None:
        shape = (self.input_dim, self.output_dim)
        self.embeddings = self.add_weight("embeddings", shape, self.embeddings_initializer)

    def call(self, inputs: Value) -> Any:
        indices = inputs if inputs.dtype in ("i32", "i64") else ops.cast(inputs, "i32")
        return ops.gather(traced(self.embeddings), indices)

    def compute_mask(self, inputs: Value, previous_mask: Any) -> Any:
        if not self.mask_zero:
            return None
        return ops.NotEqual()(inputs, ops.constant(0, inputs.dtype))
