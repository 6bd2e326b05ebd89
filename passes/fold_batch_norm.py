"""Normalization by constant statistics becomes part of weights, or else a product and a sum."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from kerac.ir import Graph, Value
from kerac.ir import ops as o
from kerac.passes.affine import (
    apply_to_operand,
    apply_to_result,
    batch_norm_as_affine,
    carried,
    loses_few_digits,
    source_of,
)
from kerac.passes.base import Pass
from kerac.passes.patterns import (
    Array,
    array_of,
    constant_like,
    contraction,
    open_contraction,
    without_leading_ones,
)
from kerac.passes.rewrite import Uses, rewrite


def into_contraction_before(value: Value, uses: Uses) -> Value | None:
    """Normalize by the kernel and the bias of the convolution or dense that makes the operand.

    def before(x: f32[N, 6]):
        mean: f32[4] = parameter("mean")
        variance: f32[4] = parameter("variance")
        kernel: f32[6, 4] = parameter("kernel")
        y = batch_norm(dense(x, kernel), mean, variance, axis=1, epsilon=0.5)
        return y
    def after(x: f32[N, 6]):
        mean: f32[4] = parameter("mean")
        variance: f32[4] = parameter("variance")
        weights: f32[6, 4] = parameter("kernel")
        scale = rsqrt(add(variance, 0.5))
        kernel = multiply(weights, scale)
        dense_bias = negative(multiply(mean, scale))
        y = dense(x, kernel, bias=dense_bias)
        return y
    """
    affine = batch_norm_as_affine(value)
    found = open_contraction(affine.x, uses) if affine else None
    return apply_to_result(found, affine) if affine and found else None


def into_contraction_after(value: Value, uses: Uses) -> Value | None:
    """Normalize by the kernel and the bias of the convolution or dense that alone reads the result.

    Reshapes and transposes may stand between. A padded convolution reads zeros that were not
    normalized, so it can take in a scale only.

    def before(x: f32[N, 4]):
        mean: f32[4] = parameter("mean")
        variance: f32[4] = parameter("variance")
        kernel: f32[4, 6] = parameter("kernel")
        y = dense(batch_norm(x, mean, variance, axis=1, epsilon=0.5), kernel)
        return y
    def after(x: f32[N, 4]):
        mean: f32[4] = parameter("mean")
        variance: f32[4] = parameter("variance")
        weights: f32[4, 6] = parameter("kernel")
        scale = rsqrt(add(variance, 0.5))
        kernel = multiply(weights, reshape(scale, shape=(4, 1)))
        y_bias = dense(negative(multiply(mean, scale)), weights)
        y = dense(x, kernel, bias=y_bias)
        return y
    """
    found = contraction(value)
    if not found:
        return None
    source, path = source_of(found, uses)
    affine = batch_norm_as_affine(source) if uses[source] == 1 else None
    affine = carried(affine, path) if affine and loses_few_digits(affine.shift) else None
    return apply_to_operand(found, affine, value.name) if affine else None


def into_contraction_before_pool(value: Value, uses: Uses) -> Value | None:
    """Normalize before pooling, in a convolution; a maximum lets positive scales through only.

    def before(x: f32[N, 8, 8, 3]):
        mean: f32[4] = parameter("mean")
        variance: f32[4] = parameter("variance")
        kernel: f32[1, 1, 3, 4] = parameter("kernel")
        stem = convolution(x, kernel)
        pool = max_pool(stem, window=(2, 2), strides=(2, 2))
        y = batch_norm(pool, mean, variance, axis=3, epsilon=0.5)
        return y
    def after(x: f32[N, 8, 8, 3]):
        mean: f32[4] = parameter("mean")
        variance: f32[4] = parameter("variance")
        weights: f32[1, 1, 3, 4] = parameter("kernel")
        scale = rsqrt(add(variance, 0.5))
        kernel = multiply(weights, scale)
        stem_bias = negative(multiply(mean, scale))
        stem = convolution(x, kernel, bias=stem_bias)
        y = max_pool(stem, window=(2, 2), strides=(2, 2))
        return y
    """
    affine = batch_norm_as_affine(value)
    if not affine or not isinstance(affine.x.op, o.MaxPool | o.AveragePool) or uses[affine.x] != 1:
        return None
    if isinstance(affine.x.op, o.MaxPool) and not np.all(affine.scale >= 0):
        return None
    source = affine.x.operands[0]
    found = open_contraction(source, uses)
    new = apply_to_result(found, affine._replace(x=source)) if found else None
    if not new:
        return None
    normalized = new.labelled(source.name, source.origin | value.origin)
    return affine.x.op(normalized, origin=affine.x.origin)


def after_mean(value: Value, uses: Uses) -> Value | None:
    """Take the mean first where it leaves the normalized axis: there is less to normalize then.

    def before(x: f32[N, 8, 8, 4]):
        mean: f32[4] = parameter("mean")
        variance: f32[4] = parameter("variance")
        y = reduce_mean(batch_norm(x, mean, variance, axis=3), axes=(1, 2))
        return y
    def after(x: f32[N, 8, 8, 4]):
        y = reduce_mean(x, axes=(1, 2))
        mean: f32[4] = parameter("mean")
        variance: f32[4] = parameter("variance")
        y_1 = batch_norm(y, mean, variance, axis=1)
        return {"y": y_1}
    """
    match value:
        case Value(
            (o.ReduceMean() | o.AveragePool()) as op,
            (Value(o.BatchNorm() as norm, (Value() as x, *statistics)) as normalized,),
        ):
            axis = norm.axis
            if uses[normalized] != 1 or (isinstance(op, o.AveragePool) and axis != x.ndim - 1):
                return None
            if isinstance(op, o.ReduceMean):
                if axis in op.axes:
                    return None
                axis -= 0 if op.keepdims else sum(other < axis for other in op.axes)
            mean = op(x, name=value.name, origin=value.origin)
            return replace(norm, axis=axis)(mean, *statistics, origin=normalized.origin)
    return None


def decompose(value: Value, uses: Uses) -> Value | None:
    """What nothing takes in is a product and a sum; a large mean is subtracted first.

    def before(x: f32[N, 8, 4]):
        mean: f32[8] = parameter("mean")
        variance: f32[8] = parameter("variance")
        y = batch_norm(x, mean, variance, axis=1, epsilon=0.5)
        return y
    def after(x: f32[N, 8, 4]):
        mean: f32[8] = parameter("mean")
        variance: f32[8] = parameter("variance")
        scale = rsqrt(add(variance, 0.5))
        y_scale = reshape(scale, shape=(8, 1))
        y = multiply(x, y_scale)
        y_shift = reshape(negative(multiply(mean, scale)), shape=(8, 1))
        y_1 = add(y, y_shift)
        return {"y": y_1}
    """
    affine = batch_norm_as_affine(value)
    if not affine:
        return None
    x, scale, shift = affine
    if not loses_few_digits(shift):
        mean, beta = (array_of(v) for v in (value.inputs[1], (*value.inputs, None, None)[4]))
        x = o.add(x, _constant(-np.reshape(np.asarray(mean), scale.shape), value, "mean"))
        shift = np.zeros_like(scale) if beta is None else beta.reshape(scale.shape)
    result = o.multiply(x, _constant(scale, value, "scale"))
    return o.add(result, _constant(shift, value, "shift")) if np.any(shift) else result


def _constant(array: Array, value: Value, suffix: str) -> Value:
    return constant_like(without_leading_ones(array), value, f"{value.name}_{suffix}")


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Fold normalizations into weights; `decompose` makes those left a product and a sum."""

    rules = (
        into_contraction_before,
        into_contraction_before_pool,
        into_contraction_after,
        after_mean,
    )
    decompose: bool = True

    def apply(self, graph: Graph, changes: Counter[str]) -> Graph:
        """Fold first: a convolution that comes later may take in what one before could not."""
        graph = rewrite(graph, self.rules, self.name, changes)
        return rewrite(graph, (decompose,), self.name, changes) if self.decompose else graph
