"""Convolutions turned round, without zeros between elements: what spreads a kernel, summed up.

Along an axis with stride s the results at s*q + r, for one r, are a convolution of all elements by
every s-th place of the kernel. One convolution makes them all, r before the channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from kerac.ir import ops as o
from kerac.ir.dims import Dim, DimLike
from kerac.ir.graph import Value
from kerac.ir.types import Shape

Pair = tuple[int, int]


def transposed_convolution(
    g: Value,
    kernel: Value,
    lengths: Shape,
    strides: Sequence[int],
    before: Sequence[int],
    groups: int = 1,
    bias: Value | None = None,
) -> Value:
    """y[p] = sum of g[i] * kernel[k] over all i * stride + k = p + before, plus bias.

    g: t[N, *positions, F], kernel: t[*window, C/groups, F], bias: t[C] -> t[N, *lengths, C]
    Where a length is symbolic, it must be one whose convolution has the positions of g.
    """
    window: tuple[int, ...] = kernel.shape[:-2]
    channels = kernel.shape[-2]
    taps = [-(-size // stride) for size, stride in zip(window, strides, strict=True)]
    # places of a stride that a kernel smaller than it never reaches stay 0
    phases = [min(size, stride) for size, stride in zip(window, strides, strict=True)]
    in_epilogue = bias is not None and phases == list(strides)
    padding: list[Pair] = []
    for axis, (count, stride, start) in enumerate(zip(taps, strides, before, strict=True), start=1):
        front, back = _borders(g.shape[axis], lengths[axis - 1], count, stride, start)
        if front < 0 or back < 0:
            g = o.slice_axis(g, axis, max(-front, 0), g.shape[axis] + min(back, 0))
        padding.append((max(front, 0), max(back, 0)))
    convolution = o.Convolution(padding=tuple(padding), groups=groups)
    operands = [g, _by_phases(kernel, taps, phases, groups)]
    if in_epilogue and bias is not None:
        wide = o.reshape(bias, (groups, 1, channels))
        every = o.broadcast_to(wide, (groups, prod(phases), channels))
        operands.append(o.reshape(every, (groups * prod(phases) * channels,)))
    y = _interleaved(convolution(*operands), (groups, channels), phases, strides)
    for axis, (length, stride, start) in enumerate(zip(lengths, strides, before, strict=True), 1):
        skipped = start % stride
        if skipped or y.shape[axis] != length:
            y = o.slice_axis(y, axis, skipped, skipped + length)
    return y if bias is None or in_epilogue else o.add(y, bias)


def _borders(count: DimLike, length: DimLike, taps: int, stride: int, start: int) -> Pair:
    """Zeros around `count` elements so that all results are there; less than 0: elements less."""
    first = start // stride
    front = taps - 1 - first
    wanted = (start + length + stride - 1) // stride - first
    back = wanted + taps - 1 - count - front
    # one group of results more than the elements reach is enough for whatever a stride left over
    return front, taps if isinstance(back, Dim) else back


def _by_phases(kernel: Value, taps: Sequence[int], phases: Sequence[int], groups: int) -> Value:
    """t[*window, C/G, F] -> t[*taps, F/G, G * phases * C/G], taps in opposite order."""
    *window, channels, filters = kernel.shape
    rank = len(window)
    missing = [n * p - size for n, p, size in zip(taps, phases, window, strict=True)]
    if any(missing):
        kernel = o.Pad((*((0, more) for more in missing), (0, 0), (0, 0)))(kernel)
    split = [n for pair in zip(taps, phases, strict=True) for n in pair]
    apart = o.reshape(kernel, (*split, channels, groups, filters // groups))
    turned = tuple(2 * axis for axis, n in enumerate(taps) if n > 1)
    apart = o.reverse(apart, turned) if turned else apart
    # taps, F/G, G, phases, C/G
    order = (*range(0, 2 * rank, 2), 2 * rank + 2, 2 * rank + 1, *range(1, 2 * rank, 2), 2 * rank)
    moved = o.transpose(apart, order)
    return o.reshape(moved, (*taps, filters // groups, groups * channels * prod(phases)))


def _interleaved(
    y: Value, channels: tuple[int, int], phases: Sequence[int], strides: Sequence[int]
) -> Value:
    """t[N, *Q, G * phases * C/G] -> t[N, *(Q * strides), C]; `channels` are G and C/G."""
    batch, *counts, _ = y.shape
    if max(strides) == 1:
        return y
    rank = len(counts)
    groups, inner = channels
    apart = o.reshape(y, (batch, *counts, groups, *phases, inner))
    places = [place for axis in range(rank) for place in (1 + axis, 2 + rank + axis)]
    moved = o.transpose(apart, (0, *places, 1 + rank, 2 + 2 * rank))
    missing = [stride - phase for stride, phase in zip(strides, phases, strict=True)]
    if any(missing):
        pairs = [pair for more in missing for pair in ((0, 0), (0, more))]
        moved = o.Pad(((0, 0), *pairs, (0, 0), (0, 0)))(moved)
    wide = [count * stride for count, stride in zip(counts, strides, strict=True)]
    return o.reshape(moved, (batch, *wide, groups * inner))
