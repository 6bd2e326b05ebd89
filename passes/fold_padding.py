"""Zeros around an image need not be stored: a convolution pads by itself, a maximum too."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kerac.ir import Value
from kerac.ir import ops as o
from kerac.ir.dims import Dim
from kerac.ir.ops.movement import Pairs
from kerac.ir.ops.window import explicit_padding
from kerac.passes.base import Pass
from kerac.passes.patterns import lower_bound
from kerac.passes.rewrite import Uses


def into_convolution(value: Value, uses: Uses) -> Value | None:
    """Let a convolution do the zero padding of its operand.

    def before(x: f32[N, 8, 8, 3], kernel: f32[3, 3, 3, 4]):
        y = convolution(pad(x, padding=((0, 0), (1, 2), (0, 1), (0, 0))), kernel, strides=(2, 2))
        return y
    def after(x: f32[N, 8, 8, 3], kernel: f32[3, 3, 3, 4]):
        y = convolution(x, kernel, strides=(2, 2), padding=((1, 2), (0, 1)))
        return y
    """
    match value:
        case Value(
            o.Convolution() as op,
            (Value(o.Pad(outer, 0.0), (Value() as x,)) as padded, Value() as kernel, *rest),
        ):
            spatial = padded.ndim - 2
            if outer[0] != (0, 0) or outer[-1] != (0, 0):
                return None
            padding = _explicit(
                padded,
                kernel.shape[:-2],
                op.all_strides(spatial),
                op.all_dilation(spatial),
                op.padding,
            )
            if padding is None:
                return None
            return replace(op, padding=_sum(outer[1:-1], padding))(x, kernel, *rest)
    return None


def before_transpose(value: Value, uses: Uses) -> Value | None:
    """An image that comes with channels first is padded after its transpose, by the convolution.

    def before(x: f32[N, 3, 8, 8], kernel: f32[3, 3, 3, 4]):
        wide = pad(x, padding=((0, 0), (0, 0), (1, 1), (1, 1)))
        image = transpose(wide, permutation=(0, 2, 3, 1))
        y = convolution(image, kernel)
        return y
    def after(x: f32[N, 3, 8, 8], kernel: f32[3, 3, 3, 4]):
        image = transpose(x, permutation=(0, 2, 3, 1))
        wide = pad(image, padding=((0, 0), (1, 1), (1, 1), (0, 0)))
        y = convolution(wide, kernel)
        return y
    """
    match value:
        case Value(
            (o.Convolution() | o.MaxPool()) as op,
            (
                Value(
                    o.Transpose(permutation),
                    (Value(o.Pad(padding, number), (Value() as x,)) as wide,),
                ) as moved,
                *rest,
            ),
        ) if uses[moved] == 1:
            padded = o.Pad(tuple(padding[axis] for axis in permutation), number)
            image = o.Transpose(permutation)(x, name=moved.name, origin=moved.origin)
            image = padded(image, name=wide.name, origin=wide.origin)
            return op(image, *rest, origin=value.origin)
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
        case Value(o.MaxPool() as op, (Value(o.Pad(outer, number), (Value() as x,)) as padded,)):
            if outer[0] != (0, 0) or outer[-1] != (0, 0) or not number <= lower_bound(x):
                return None
            inner = _explicit(padded, op.window, op.strides, (1,) * len(op.window), op.padding)
            padding = None if inner is None else _sum(outer[1:-1], inner)
            # every window must hold an element that is not padding
            if padding is None or any(
                max(pair) >= length for pair, length in zip(padding, op.window, strict=True)
            ):
                return None
            return replace(op, padding=padding)(x)
    return None


def _explicit(
    x: Value,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str | Pairs,
) -> Pairs | None:
    """Padding in numbers, or None where it depends on a symbol."""
    lengths = x.shape[1:-1]
    symbolic = any(
        isinstance(a, Dim) and stride != 1 for a, stride in zip(lengths, strides, strict=True)
    )
    if padding == "same" and symbolic:
        return None
    return explicit_padding(lengths, window, strides, dilation, padding)


def _sum(outer: Pairs, inner: Pairs) -> Pairs:
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(outer, inner, strict=True))


@dataclass(frozen=True)
class FoldPadding(Pass):
    """Fold padding into the windows that read it."""

    rules = (before_transpose, into_convolution, into_max_pool)
