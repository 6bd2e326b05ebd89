"""Numbers of several distributions, made of uniform and normal ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerac.eager import as_array
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from kerac.ir.ops.iota import iota
from kerac.layers.random_numbers import kept
from kerac.random.seeds import Seed
from kerac.random.source import Shape, Source, draw, in_graph, lengths, typed

Lengths = Sequence[Any]

TINY = 1e-30
# Giles, 2010: the inverse of erf where |x| < 0.9965, in -log(1 - x x) - 2.5
INVERSE_ERF = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
ERF_OF_SQRT_2 = 0.9544997361036416
# A draw of a gamma distribution is refused with a probability below 0.05.
GAMMA_DRAWS = 8
# What is left of a binomial's trials is made one by one.
SINGLE_TRIALS = 16


def uniform(
    shape: Lengths, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Seed = None
) -> Any:
    """Equally likely in [minval, maxval)."""
    if dtype is not None and np.dtype(str(dtype)).kind in "iu":
        raise CompileError(
            f"uniform: dtype is {dtype!r:.40}, but fractions are made", remedy="Call randint."
        )

    def make(source: Source, low: Value, high: Value) -> Value:
        low, high = ops.cast(low, "f32"), ops.cast(high, "f32")
        return typed(low + (high - low) * source.uniform(lengths(shape)), dtype)

    return draw(make, [minval, maxval], shape, seed)


def normal(
    shape: Lengths, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Seed = None
) -> Any:
    """Normally distributed."""

    def make(source: Source, mean: Value, stddev: Value) -> Value:
        scaled = ops.cast(stddev, "f32") * source.normal(lengths(shape))
        return typed(ops.cast(mean, "f32") + scaled, dtype)

    return draw(make, [mean, stddev], shape, seed)


def truncated_normal(
    shape: Lengths, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Seed = None
) -> Any:
    """Normally distributed, but never more than two standard deviations from the mean."""

    def make(source: Source, mean: Value, stddev: Value) -> Value:
        # Phi^-1(u) = sqrt(2) erf^-1(2 u - 1), for u between Phi(-2) and Phi(2)
        x = (source.positive(lengths(shape)) * 2.0 - 1.0) * ERF_OF_SQRT_2
        w = -ops.Log()(1.0 - x * x) - 2.5
        polynomial = ops.constant(INVERSE_ERF[0], "f32")
        for coefficient in INVERSE_ERF[1:]:
            polynomial = polynomial * w + coefficient
        scaled = ops.cast(stddev, "f32") * (x * polynomial * float(np.sqrt(2)))
        return typed(ops.cast(mean, "f32") + scaled, dtype)

    return draw(make, [mean, stddev], shape, seed)


def randint(
    shape: Lengths, minval: Any, maxval: Any, dtype: Any = "int32", seed: Seed = None
) -> Any:
    """Whole numbers, equally likely in [minval, maxval)."""

    def make(source: Source, low: Value, high: Value) -> Value:
        low, high = ops.cast(low, "f64"), ops.cast(high, "f64")
        return typed(low + ops.Floor()((high - low) * source.fine(lengths(shape))), dtype)

    _check_integers(dtype)
    return draw(make, [minval, maxval], shape, seed)


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Seed = None) -> Any:
    """Classes with probabilities softmax(logits): t[N, C] -> t[N, num_samples]."""

    def make(source: Source, logits: Value) -> Value:
        if logits.ndim != 2:
            raise ShapeError(f"categorical: logits must have 2 axes, but are {logits.type}")
        from kerac.metrics.accuracy import argmax

        # The largest of logits plus numbers of Gumbel's distribution is distributed so.
        batch, classes = logits.shape
        numbers = source.positive((batch, int(num_samples), classes))
        wide = ops.reshape(ops.cast(logits, "f32"), (batch, 1, classes))
        return typed(argmax(wide - ops.Log()(-ops.Log()(numbers))), dtype)

    return draw(make, [logits], (), seed)


def gamma(shape: Lengths, alpha: Any, dtype: Any = None, seed: Seed = None) -> Any:
    """Of the gamma distribution with shape `alpha` and scale 1; no gradient goes to alpha."""

    def make(source: Source, alpha: Value) -> Value:
        return typed(ops.Exp()(_log_gamma(source, lengths(shape), _fixed(alpha))), dtype)

    return draw(make, [alpha], shape, seed)


def beta(shape: Lengths, alpha: Any, beta: Any, dtype: Any = None, seed: Seed = None) -> Any:
    """Of the beta distribution; no gradient goes to alpha and beta."""

    def make(source: Source, alpha: Value, beta: Value) -> Value:
        return typed(_beta(source, lengths(shape), _fixed(alpha), _fixed(beta)), dtype)

    return draw(make, [alpha, beta], shape, seed)


def binomial(
    shape: Lengths, counts: Any, probabilities: Any, dtype: Any = None, seed: Seed = None
) -> Any:
    """How many of `counts` trials succeed, each with a probability; f32 unless dtype is given."""
    if isinstance(counts, Value):
        raise UnsupportedError("binomial: counts are values of a graph, but must be known numbers")
    most = int(np.max(counts, initial=0))
    if np.min(counts, initial=0) < 0 or most >= 2**24:
        raise UnsupportedError(f"binomial: counts must lie in [0, 2^24), but reach {counts!r:.40}")

    def make(source: Source, counts: Value, chances: Value) -> Value:
        where = lengths(shape)
        n, p = (ops.broadcast_to(ops.cast(x, "f32"), where) for x in (counts, chances))
        return typed(_binomial(source, where, n, p, most), dtype)

    return draw(make, [counts, probabilities], shape, seed)


def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> Any:
    """The parts of x along an axis in another order, each order equally likely."""
    if not in_graph([x]):
        array = np.asarray(x)
        numbers = draw(lambda source: source.fine((array.shape[axis],)), [], (), seed)
        ranks = np.argsort(np.argsort(numbers, kind="stable"))
        return as_array(np.take(array, ranks, axis))

    def make(source: Source, x: Value) -> Value:
        order = [axis % x.ndim, *(i for i in range(x.ndim) if i != axis % x.ndim)]
        moved = ops.transpose(x, tuple(order))
        taken = ops.gather(moved, _ranks(source.fine((moved.shape[0],))))
        return ops.transpose(taken, tuple(int(i) for i in np.argsort(order)))

    return draw(make, [x], (), seed)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Seed = None) -> Any:
    """A share `rate` of the elements is 0, the others are larger, so that the mean stays.

    Elements along axes where `noise_shape` has 1 are dropped together.
    """
    if not 0 <= rate <= 1:
        raise CompileError(f"dropout: rate is {rate}, but must lie in [0, 1]")

    def make(source: Source, x: Value) -> Value:
        given = (None,) * x.ndim if noise_shape is None else noise_shape
        shape = tuple(n if m is None else m for n, m in zip(x.shape, given, strict=True))
        return kept(x, rate, source.uniform(lengths(shape)))

    return draw(make, [inputs], (), seed)


def _check_integers(dtype: Any) -> None:
    if np.dtype(str(dtype)).kind not in "iu":
        raise CompileError(f"randint: dtype is {dtype!r:.40}, but integers are made")


def _fixed(x: Value) -> Value:
    """x as f32, without a gradient: draws that are refused have none."""
    return ops.stop_gradient(ops.cast(x, "f32"))


def _log_gamma(source: Source, shape: Shape, alpha: Value) -> Value:
    """Logarithms of gamma numbers (Marsaglia and Tsang, 2000).

    All draws are made, and the last that is not refused is taken; that all are refused has a
    probability of 4e-11.
    """
    alpha = ops.broadcast_to(alpha, shape)
    is_small = ops.Less()(alpha, ops.constant(1.0, "f32"))
    d = alpha + ops.cast(is_small, "f32") - 1 / 3
    found = alpha
    for turn in range(GAMMA_DRAWS):
        x = source.normal(shape)
        root = 1.0 + x / ops.Sqrt()(d * 9.0)
        log_v = ops.Log()(ops.maximum(root * root * root, TINY))
        bound = x * x * 0.5 + d * (1.0 - ops.Exp()(log_v) + log_v)
        is_taken = ops.Less()(ops.Log()(source.positive(shape)), bound)
        found = ops.select(is_taken, log_v, found) if turn else log_v
    # gamma(alpha) = gamma(alpha + 1) U^(1 / alpha)
    boost = ops.Log()(source.positive(shape)) / ops.maximum(alpha, TINY)
    return ops.Log()(d) + found + ops.select(is_small, boost, boost * 0.0)


def _beta(source: Source, shape: Shape, alpha: Value, beta: Value) -> Value:
    """a / (a + b) for gamma numbers a and b, without underflow."""
    first, second = (_log_gamma(source, shape, x) for x in (alpha, beta))
    return ops.Sigmoid()(first - second)


def _binomial(source: Source, shape: Shape, n: Value, p: Value, most: int) -> Value:
    """Successes of n trials, which are numbers in [0, 1) below p.

    The k-th smallest of n such numbers has a beta distribution. It parts the trials into those
    below it and those above, one side of which is settled, until few are left (Devroye, 1986).
    """
    successes = n * 0.0
    while most > SINGLE_TRIALS:
        is_many = ops.Greater()(n, ops.constant(float(SINGLE_TRIALS), "f32"))
        k = ops.Floor()(n * 0.5) + 1.0
        place = _beta(source, shape, k, ops.maximum(n - k, 0.0) + 1.0)
        is_below = ops.LessEqual()(place, p)
        left = ops.select(is_below, n - k, k - 1.0)
        chance = ops.select(
            is_below, (p - place) / ops.maximum(1.0 - place, TINY), p / ops.maximum(place, TINY)
        )
        gained = ops.cast(ops.LogicalAnd()(is_many, is_below), "f32") * k
        successes = successes + gained
        n, p = ops.select(is_many, left, n), ops.select(is_many, chance, p)
        most //= 2
    trials = (*shape, SINGLE_TRIALS)
    n, p = (ops.reshape(x, (*shape, 1)) for x in (n, p))
    counted = ops.Less()(ops.cast(iota(trials, len(shape)), "f32"), n)
    succeed = ops.LogicalAnd()(counted, ops.Less()(source.uniform(trials), p))
    return successes + ops.reduce_sum(ops.cast(succeed, "f32"), (len(shape),))


def _ranks(numbers: Value) -> Value:
    """How many are smaller, or equal and earlier, for each of t[n]; i32."""
    (n,) = numbers.shape
    these, others = ops.reshape(numbers, (n, 1)), ops.reshape(numbers, (1, n))
    earlier = ops.Less()(iota((n, n), 1), iota((n, n), 0))
    before = ops.LogicalOr()(
        ops.Less()(others, these), ops.LogicalAnd()(ops.Equal()(others, these), earlier)
    )
    return ops.cast(ops.reduce_sum(ops.cast(before, "f32"), (1,)), "i32")
