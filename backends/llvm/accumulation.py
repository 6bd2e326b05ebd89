"""Accumulators: long loops in blocks, and partial results joined in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kerac.backends.llvm.kernel import Index, KernelBuilder, Kind

BLOCK = 256  # steps after which a new partial result begins, so that rounding does not pile up

Combine = Callable[[Any, Any], Any]
Accumulate = Callable[[Index, Sequence[Any]], Sequence[Any]]


def blocked_loop(
    k: KernelBuilder,
    stop: Index,
    step: int,
    body: Accumulate,
    sums: Sequence[Any],
    kinds: Sequence[Kind],
    start: float,
    combine: Combine,
) -> Sequence[Any]:
    """body(i, sums) for i in range(0, stop, step); long loops begin new partial results."""
    span = BLOCK * step
    if isinstance(stop, int) and stop <= span:
        return k.loop(
            "i", 0, stop, lambda i, *inner: body(i, inner), step=step, carried=sums, kinds=kinds
        )

    def block(first: Index, *outer: Any) -> Sequence[Any]:
        end = k.minimum(first + span, stop)
        inner = k.loop(
            "i",
            first,
            end,
            lambda i, *values: body(i, values),
            step=step,
            carried=[start] * len(sums),
            kinds=kinds,
        )
        return [combine(a, b) for a, b in zip(outer, inner, strict=True)]

    return k.loop("block", 0, stop, block, step=span, carried=sums, kinds=kinds)


def joined(ways: Sequence[Any], combine: Combine) -> Any:
    """Neighbours combined until one is left."""
    values = list(ways)
    while len(values) > 1:
        pairs = [combine(*values[i : i + 2]) for i in range(0, len(values) - 1, 2)]
        values = pairs + values[len(values) - len(values) % 2 :]
    return values[0]
