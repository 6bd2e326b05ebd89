"""Random numbers for layers: each use has a stream of its own."""

from __future__ import annotations

from zlib import crc32

from kerac.ir import Value, ops
from kerac.ir.dims import DimLike
from kerac.ir.errors import InternalError
from kerac.tracing import current_trace

Shape = tuple[DimLike, ...]


def is_random() -> bool:
    """Whether layers act as in training, and there are random numbers for it."""
    trace = current_trace()
    return trace.training and trace.key is not None


def is_dropping(rate: float) -> bool:
    """Whether a layer drops a share `rate` now: dropout does nothing in inference."""
    return rate > 0 and is_random()


def uniform(shape: Shape, seed: int | None = None) -> Value:
    """Random numbers, f32 in [0, 1)."""
    return ops.random_uniform(key_of_step(seed), shape=shape, stream=next_stream())


def normal(shape: Shape, seed: int | None = None) -> Value:
    """Normally distributed random numbers of mean 0 and variance 1, f32."""
    return ops.random_normal(key_of_step(seed), shape=shape, stream=next_stream())


def keep(x: Value, rate: float, seed: int | None, shape: Shape | None = None) -> Value:
    """x where random numbers say so and 0 elsewhere, made larger so that the mean stays.

    A share `rate` of the elements is 0; elements along axes of length 1 in `shape` are dropped
    together.
    """
    return kept(x, rate, uniform(shape or x.shape, seed))


def kept(x: Value, rate: float, numbers: Value) -> Value:
    """x where uniform numbers reach `rate` and 0 elsewhere, made larger so that the mean stays."""
    if rate >= 1:
        return ops.multiply(x, 0.0)
    is_kept = ops.GreaterEqual()(numbers, ops.constant(rate, "f32"))
    return ops.multiply(x, ops.multiply(ops.cast(is_kept, x.dtype), 1 / (1 - rate)))


def dropped(x: Value, rate: float, seed: int | None, shared_axes: tuple[int, ...] = ()) -> Value:
    """x after dropout; outside training an op that says that this is where dropout would be."""
    if not is_random():
        return ops.Dropout(rate, shared_axes, seed)(x)
    shape = tuple(1 if axis in shared_axes else dim for axis, dim in enumerate(x.shape))
    return keep(x, rate, seed, shape) if rate else x


def next_stream() -> int:
    """The number of one more source of random numbers of the graph."""
    trace = current_trace()
    trace.streams += 1
    return trace.streams - 1


def key_of_step(seed: int | None) -> Value:
    """The key of the step; that of a layer with a seed depends on the seed and the step alone."""
    key = current_trace().key
    if key is None:
        raise InternalError("random numbers are asked for, but the graph has none")
    if seed is None:
        return key
    first = ops.constant([crc32(str(seed).encode())], "u32")
    return ops.concatenate([first, ops.slice_axis(key, 0, 1, 2)], 0)
