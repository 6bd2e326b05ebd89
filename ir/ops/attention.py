"""Attention: each query takes a mean of values, weighted by how well their keys fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.ir.graph import Value
from kerac.ir.op import Array, Op
from kerac.ir.ops.activation import Absolute
from kerac.ir.ops.constant import constant
from kerac.ir.ops.contraction import matmul
from kerac.ir.ops.elementwise import (
    GreaterEqual,
    Less,
    LogicalAnd,
    add,
    broadcast_shapes,
    multiply,
    select,
    subtract,
)
from kerac.ir.ops.iota import iota
from kerac.ir.ops.movement import repeat, transpose
from kerac.ir.ops.reduction import softmax
from kerac.ir.types import Shape, TensorType

# The score of a key that does not count: low, but finite, so that rows of it alone have a softmax.
LOWEST = {"f16": -3e4, "bf16": -2e38, "f32": -2e38, "f64": -1e308}


@dataclass(frozen=True)
class Attention(Op):
    """softmax(query key^T * scale + bias) value, for each head (Vaswani et al., 2017).

    query: t[N, T, H, D], key: t[N, S, G, D], value: t[N, S, G, E], mask: bool[...], bias: t[...],
    which broadcast to [N, H, T, S] -> t[N, T, H, E]
    G divides H: neighbouring heads share keys and values. A key counts where the mask is true; with
    `causal`, up to the query's own place; with a `window`, nearer to it than that. A query none of
    whose keys counts gets the mean of all values, or 0 with `zero_masked`.
    """

    scale: float = 1.0
    causal: bool = False
    window: int | None = None
    zero_masked: bool = False

    def infer(
        self,
        query: TensorType,
        key: TensorType,
        value: TensorType,
        mask: TensorType | None = None,
        bias: TensorType | None = None,
    ) -> TensorType:
        if not query.is_float or {query.dtype, key.dtype, value.dtype} != {query.dtype}:
            raise ShapeError(
                f"needs one floating-point dtype, but got {query.dtype}, {key.dtype}, {value.dtype}"
            )
        if not query.ndim == key.ndim == value.ndim == 4:
            raise ShapeError(f"needs 4 axes, but got {query}, {key} and {value}")
        batch, _, heads, depth = query.shape
        if key.shape[0] != batch or key.shape[3] != depth or key.shape[:3] != value.shape[:3]:
            raise ShapeError(f"{query}, {key} and {value} do not fit together")
        groups = key.shape[2]
        if not isinstance(heads, int) or not isinstance(groups, int) or heads % groups:
            raise ShapeError(f"{heads} heads of queries do not share {groups} heads of keys")
        if self.window is not None and self.window < 1:
            raise ShapeError(f"window must be positive, but is {self.window}")
        scores = self.scores_shape(query, key)
        for name, given, dtype in (("mask", mask, "bool"), ("bias", bias, query.dtype)):
            if given is not None and (
                given.dtype != dtype or broadcast_shapes(given.shape, scores) != scores
            ):
                raise ShapeError(f"{name} is {given}, but {dtype} is needed, broadcast to {scores}")
        return query.with_shape((*query.shape[:3], value.shape[3]))

    @staticmethod
    def scores_shape(query: TensorType, key: TensorType) -> Shape:
        """[N, H, T, S]"""
        return (query.shape[0], query.shape[2], query.shape[1], key.shape[1])

    def evaluate(
        self,
        query: Array,
        key: Array,
        value: Array,
        mask: Array | None = None,
        bias: Array | None = None,
    ) -> Array:
        share = query.shape[2] // key.shape[2]
        key, value = (np.repeat(x, share, axis=2) for x in (key, value))
        scores = np.einsum("nthd,nshd->nhts", query, key) * query.dtype.type(self.scale)
        if bias is not None:
            scores = scores + bias
        counts = self._counts(*scores.shape[2:])
        if mask is not None:
            counts = mask if counts is None else mask & counts
        if counts is not None:
            name = {2: "f16", 4: "f32", 8: "f64"}[scores.dtype.itemsize]
            scores = np.where(counts, scores, scores.dtype.type(LOWEST[name]))
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        weights = powers / powers.sum(-1, keepdims=True)
        if self.zero_masked and counts is not None:
            weights = np.where(counts, weights, 0)
        result = np.einsum("nhts,nshe->nthe", weights, value)
        return np.asarray(result.astype(query.dtype, copy=False))

    def _counts(self, queries: int, keys: int) -> Array | None:
        """Which keys may count for each query by their places."""
        row, column = np.arange(queries)[:, None], np.arange(keys)
        counts = None
        if self.causal:
            counts = row >= column
        if self.window is not None:
            near = np.abs(row - column) < self.window
            counts = near if counts is None else counts & near
        return counts

    def multiply_adds(self, result: Value) -> DimLike:
        batch, queries, heads, depth = result.operands[0].tensor_type.shape
        pairs = batch * heads * queries * result.operands[1].tensor_type.shape[1]
        return pairs * (depth + result.tensor_type.shape[3])

    def decompose(self, *inputs: Value | None) -> Value | None:
        query, key, value, mask, bias = (*inputs, None, None)[:5]
        if query is None or key is None or value is None:
            return None
        weights = attention_weights(self, query, key, mask, bias)
        return weighted_values(weights, value)


def attention_weights(
    op: Attention, query: Value, key: Value, mask: Value | None = None, bias: Value | None = None
) -> Value:
    """The weights with which values are summed: t[N, H, T, S], each line along S sums to 1."""
    key = repeat(key, query.shape[2] // key.shape[2], 2)
    scores = matmul(transpose(query, (0, 2, 1, 3)), transpose(key, (0, 2, 3, 1)))
    if op.scale != 1:
        scores = multiply(scores, op.scale)
    if bias is not None:
        scores = add(scores, bias)
    counts = which_count(op, scores.shape[2:])
    if mask is not None:
        counts = mask if counts is None else LogicalAnd()(mask, counts)
    if counts is None:
        return softmax(scores, -1)
    low, zero = (constant(number, scores.dtype) for number in (LOWEST[scores.dtype], 0))
    weights = softmax(select(counts, scores, low), -1)
    return select(counts, weights, zero) if op.zero_masked else weights


def weighted_values(weights: Value, value: Value) -> Value:
    """weights: t[N, H, T, S], value: t[N, S, G, E] -> t[N, T, H, E]"""
    value = repeat(value, weights.shape[1] // value.shape[2], 2)
    return transpose(matmul(weights, transpose(value, (0, 2, 1, 3))), (0, 2, 1, 3))


def which_count(op: Attention, shape: Shape) -> Value | None:
    """bool[T, S]: which keys may count for each query by their places."""
    if not op.causal and op.window is None:
        return None
    queries, keys = shape
    row, column = iota((queries, 1), 0), iota((1, keys), 1)
    counts = GreaterEqual()(row, column) if op.causal else None
    if op.window is not None:
        distance = Absolute()(subtract(row, column))
        near = Less()(distance, constant(op.window, "i32"))
        counts = near if counts is None else LogicalAnd()(counts, near)
    return counts


def attention(
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None = None,
    bias: Value | None = None,
    scale: float = 1.0,
    causal: bool = False,
) -> Value:
    """A weighted mean of values for each query."""
    return Attention(scale, causal)(query, key, value, mask, bias)
