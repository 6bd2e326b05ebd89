"""Vectors for numbers of words."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from kerac.constraints import MaybeConstraint
from kerac.eager import evaluate
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.layers.base import Layer, as_float
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import current_trace, traced


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
        return self.as_result(ops.gather(traced(self.embeddings), indices))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if not isinstance(inputs, Value) and self.mask_zero:
            return evaluate(self.compute_mask, [inputs])
        if not self.mask_zero:
            return None
        return ops.NotEqual()(inputs, ops.constant(0, inputs.dtype))


class ReversibleEmbedding(Embedding):
    """An embedding, and with `reverse` the scores of all numbers for vectors.

    inputs: integer[...] -> f32[..., output_dim]; reversed: f32[..., output_dim] ->
    f32[..., input_dim], the products with all rows of the table, or with a matrix of their own
    without `tie_weights`; `logit_soft_cap` keeps them below it: cap * tanh(scores / cap)
    """

    tie_weights: bool = True
    reverse_dtype: Literal["float32"] | None = None
    logit_soft_cap: float | None = None

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self.add_weight(
                "reverse_embeddings", shape, self.embeddings_initializer
            )

    def call(self, inputs: Value, reverse: bool = False) -> Any:
        if reverse:
            return self._scores(as_float(inputs))
        vectors = super().call(inputs)
        mask = super().compute_mask(inputs, None)
        if mask is not None:
            current_trace().masks[vectors] = mask
        return vectors

    def _scores(self, x: Value) -> Value:
        if self.tie_weights:
            kernel = ops.transpose(traced(self.embeddings), (1, 0))
        else:
            kernel = traced(self.reverse_embeddings)
        scores = ops.dense(x, kernel)
        if self.logit_soft_cap is None:
            return scores
        cap = float(self.logit_soft_cap)
        return ops.multiply(ops.Tanh()(ops.divide(scores, cap)), cap)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None  # that of words is set where they become vectors
