"""The gradient of a maximum over windows, along vectors of channels."""

from __future__ import annotations

from itertools import product
from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Mask
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.pointwise import for_each_vector, strides
from kerac.ir.ops.pooling_gradient import MaxPoolGradient


@lowers(MaxPoolGradient, epilogue=False)
def lower_max_pool_gradient(lowering: Lowering, group: Group) -> None:
    """y[n, p * stride + w, c] += cotangent[n, p, c] for the first w whose x is largest[n, p, c]"""
    op = group.head_op(MaxPoolGradient)
    x, largest, cotangent = group.head.operands
    k = lowering.kernel(group)
    source, tops, g, target = k.read(x), k.read(largest), k.read(cotangent), k.write(group.root)
    x_steps, g_steps = strides(x.shape), strides(cotangent.shape)
    apart = all(s >= w for s, w in zip(op.strides, op.window, strict=True))

    def image(n: Index) -> None:
        start, zero = k.multiply(n, k.dim(x_steps[0])), Kind(x.dtype)

        def clear(i: Index, lanes: int, mask: Mask) -> None:
            nothing = k.number(0, zero.with_lanes(lanes))
            k.store(target, k.add(start, i), nothing, mask)

        for_each_vector(k, "i", prod(x.shape[1:], start=1), clear)
        positions(0, start, k.multiply(n, k.dim(g_steps[0])))

    def positions(axis: int, left: Index, right: Index) -> None:
        if axis == len(op.window):
            for_each_vector(k, "c", x.shape[-1], lambda c, *rest: window(left, right, c, *rest))
            return

        def inside(p: Index) -> None:
            step = k.dim(x_steps[axis + 1] * op.strides[axis])
            positions(
                axis + 1,
                k.add(left, k.multiply(p, step)),
                k.add(right, k.multiply(p, k.dim(g_steps[axis + 1]))),
            )

        k.loop(f"p{axis}", 0, k.dim(cotangent.shape[axis + 1]), inside)

    def window(left: Index, right: Index, c: Index, lanes: int, mask: Mask) -> None:
        place = k.add(right, c)
        top, rest = k.load(tops, place, lanes, mask), k.load(g, place, lanes, mask)
        for element in product(*map(range, op.window)):
            at = k.add(left, c)
            for entry, step in zip(element, x_steps[1:-1], strict=True):
                at = k.add(at, k.dim(step * entry))
            hit = k.compare("equal", k.load(source, at, lanes, mask), top)
            share = k.select(hit, rest, 0.0)
            k.store(target, at, share if apart else share + k.load(target, at, lanes, mask), mask)
            rest = k.select(hit, 0.0, rest)

    cost = k.dim(prod(cotangent.shape[1:], start=1) * prod(op.window))
    k.parallel({"n": k.dim(x.shape[0])}, image, cost=cost)
    lowering.launch(k)
