"""Attention of one head without projections, by products or by sums of queries and keys."""

from __future__ import annotations

from typing import Any, Literal

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.ir.ops.attention import LOWEST, which_count
from kerac.layers.base import Layer, as_float
from kerac.layers.dropout import check_share
from kerac.layers.masks import as_bool
from kerac.layers.random_numbers import is_dropping, keep
from kerac.tracing import need_equal, traced


class Attention(Layer):
    """softmax(query key^T) value, or by sums of tanh (Luong et al., 2015).

    [query: f32[N, T, D], value: f32[N, S, E], key: f32[N, S, D]], masks: bool[N, T], bool[N, S]
    -> f32[N, T, E]; with `return_attention_scores` the weights f32[N, T, S] behind it, in training
    with those that are dropped as 0
    """

    use_scale: bool = False
    score_mode: Literal["dot", "concat"] = "dot"
    dropout: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        check_share(self, "dropout", self.dropout)

    def build(self, input_shape: Any) -> None:
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight("scale", (), "ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight("concat_score_weight", (), "ones")

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        query, value, key = self._tensors(inputs)
        query_mask, value_mask = (*mask, None)[:2] if mask else (None, None)
        op = ops.Attention(causal=use_causal_mask)
        if value_mask is not None:
            value_mask = ops.reshape(as_bool(value_mask), (value.shape[0], 1, value.shape[1]))
        drops = is_dropping(self.dropout)
        if self.score_mode == "dot" and not (return_attention_scores or drops):
            result, weights = self._whole(op, query, key, value, value_mask), None
        else:
            weights = _weights(op, self.scores(query, key), value_mask)
            if drops:
                weights = keep(weights, self.dropout, self.seed)
            result = ops.matmul(weights, value)
        if query_mask is not None:
            wide = ops.reshape(as_bool(query_mask), (*query.shape[:2], 1))
            result = ops.select(wide, result, ops.constant(0, result.dtype))
        return (result, weights) if return_attention_scores else result

    def scores(self, query: Value, key: Value) -> Value:
        """How well each key fits each query: f32[N, T, S]."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.transpose(key, (0, 2, 1)))
            return scores if self.scale is None else ops.multiply(scores, traced(self.scale))
        sums = _sums(query, key)
        if self.scale is not None:
            sums = ops.multiply(sums, traced(self.scale))
        total = ops.reduce_sum(ops.Tanh()(sums), (3,))
        weight = traced(self.concat_score_weight)
        return total if weight is None else ops.multiply(total, weight)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask[0] if isinstance(previous_mask, list | tuple) else None

    def _tensors(self, inputs: Any) -> tuple[Value, Value, Value]:
        """Query, value and key, which may be the value."""
        if not isinstance(inputs, list | tuple) or len(inputs) not in (2, 3):
            raise CompileError("takes a list of query and value, and perhaps key")
        query, value, key = map(as_float, (*inputs, inputs[1])[:3])
        if {query.ndim, value.ndim, key.ndim} != {3}:
            raise ShapeError(f"needs 3 axes, but got {query.type}, {value.type} and {key.type}")
        need_equal(query.shape[0], value.shape[0], "batches of query and value")
        need_equal(key.shape[1], value.shape[1], "steps of key and value")
        need_equal(query.shape[2], key.shape[2], "features of query and key")
        return query, value, key

    def _whole(
        self, op: ops.Attention, query: Value, key: Value, value: Value, mask: Value | None
    ) -> Value:
        if self.scale is not None:
            query = ops.multiply(query, traced(self.scale))
        query, key, value = (
            ops.reshape(x, (*x.shape[:2], 1, x.shape[2])) for x in (query, key, value)
        )
        if mask is not None:
            mask = ops.reshape(mask, (mask.shape[0], 1, *mask.shape[1:]))
        result = op(query, key, value, mask)
        return ops.reshape(result, (*result.shape[:2], result.shape[3]))


class AdditiveAttention(Attention):
    """softmax(sum of scale * tanh(query + key)) value (Bahdanau et al., 2015).

    Tensors, masks and results are those of `Attention`.
    """

    use_scale: bool = True
    dropout: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.score_mode = "concat"

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["score_mode"]
        return config

    def build(self, input_shape: Any) -> None:
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight("scale", (input_shape[0][-1],), "glorot_uniform")

    def scores(self, query: Value, key: Value) -> Value:
        sums = ops.Tanh()(_sums(query, key))
        if self.scale is not None:
            sums = ops.multiply(sums, traced(self.scale))
        return ops.reduce_sum(sums, (3,))


def _sums(query: Value, key: Value) -> Value:
    """query + key for each pair: f32[N, T, S, D]."""
    batch, steps, depth = query.shape
    wide = ops.reshape(query, (batch, steps, 1, depth))
    return ops.add(wide, ops.reshape(key, (batch, 1, key.shape[1], depth)))


def _weights(op: ops.Attention, scores: Value, mask: Value | None) -> Value:
    """Scores as weights that sum to 1; those of keys that do not count are 0."""
    counts = which_count(op, scores.shape[1:])
    if mask is not None:
        counts = mask if counts is None else ops.LogicalAnd()(mask, counts)
    if counts is not None:
        scores = ops.select(counts, scores, ops.constant(LOWEST[scores.dtype], scores.dtype))
    return ops.softmax(scores, -1)
