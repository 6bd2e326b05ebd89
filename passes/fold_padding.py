"""Zeros around an image need not be stored: a convolution pads by itself, a maximum too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.ir.ops.movement import Pairs
from kerac.ir.ops.window import explicit_padding, known_pairs
from kerac.passes.base import Pass
from kerac.passes.patterns import lower_bound
from kerac.passes.rewrite import Uses


def into_convolution(value: Value, uses: Uses) -> Value | None:
    """Let a convolution do the zero padding of its operand, which may have been transposed since.

    def before(x: f32[N, 3, 8, 8], kernel: f32[3, 3, 3, 4]):
        wide = pad(x, padding=((0, 0), (0, 0), (1, 2), (0, 1)))
        image = transpose(wide, permutation=(0, 2, 3, 1))
        y = convolution(image, kernel, strides=(2, 2))
        return y
    def after(x: f32[N, 3, 8, 8], kernel: f32[3, 3, 3, 4]):
        image = transpose(x, permutation=(0, 2, 3, 1))
        y = convolution(image, kernel, strides=(2, 2), padding=((1, 2), (0, 1)))
        return y
    """
    match value:
        case Value(o.Convolution() as op, (Value() as wide, Value() as kernel, *rest)):
            spatial = wide.ndim - 2
            strides, dilation = op.all_strides(spatial), op.all_dilation(spatial)
            inner = _explicit(wide, kernel.shape[:-2], strides, dilation, op.padding)
            outer = _padded(wide)
            if inner and outer and outer.number == 0:
                return replace(op, padding=_sum(outer.padding, inner))(outer.x, kernel, *rest)
    return None


def into_max_pool(value: Value, uses: Uses) -> Value | None:
    """Let a maximum skip the padding of its operand, which is never larger than an element.

    def before(x: f32[N, 8, 8, 3]):
        wide = pad(relu(x), padding=((0, 0), (1, 1), (1, 1), (0, 0)))
        y = max_pool(wide, window=(3, 3), strides=(2, 2))
        return y
    def after(x: f32[N, 8, 8, 3]):
        y = max_pool(relu(x), window=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        return y
    """
    match value:
        case Value(o.MaxPool() as op, (Value() as wide,)):
            inner = _explicit(wide, op.window, op.strides, (1,) * len(op.window), op.padding)
            outer = _padded(wide)
            if not inner or not outer or not outer.number <= lower_bound(outer.x):
                return None
            padding = _sum(outer.padding, inner)
            # every window must hold an element that is not padding
            if all(max(pair) < n for pair, n in zip(padding, op.window, strict=True)):
                return replace(op, padding=padding)(outer.x)
    return None


class _Padded(NamedTuple):
    """`x` with `padding` of `number` along its spatial axes."""

    x: Value
    padding: Pairs
    number: float


def _padded(value: Value) -> _Padded | None:
    match value:
        case Value(o.Pad(padding, number), (Value() as x,)):
            pass
        case Value(o.Transpose(order), (Value(o.Pad(before, number), (Value() as image,)),)):
            padding = tuple(before[axis] for axis in order)
            x = o.Transpose(order)(image, name=value.name, origin=value.origin)
        case _:
            return None
    batch, *spatial, channels = padding
    return _Padded(x, tuple(spatial), number) if batch == channels == (0, 0) else None


def _explicit(
    x: Value,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str | Pairs,
) -> Pairs | None:
    """Padding in numbers, or None where it depends on a symbol."""
    return known_pairs(explicit_padding(x.shape[1:-1], window, strides, dilation, padding))


def _sum(outer: Pairs, inner: Pairs) -> Pairs:
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(outer, inner, strict=True))


@dataclass(frozen=True)
class FoldPadding(Pass):
    """Fold padding into the windows that read it."""

    rules = (into_convolution, into_max_pool)
