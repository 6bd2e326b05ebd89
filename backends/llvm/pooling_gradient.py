"""The gradient of a maximum over windows, along vectors of channels."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod

from kerac.backends.llvm.elementwise import for_each_element
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Mask, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import (
    Position,
    epilogue_shapes,
    for_each_vector,
    offset,
    strides,
)
from kerac.ir.graph import Value
from kerac.ir.ops.pooling_gradient import MaxPoolGradient

Put = Callable[[tuple[Index, ...], Index, Register, Mask], None]
"""Takes the indices of an element of x, its offset, and the cotangents from there on."""


@lowers(MaxPoolGradient)
def lower_max_pool_gradient(lowering: Lowering, group: Group) -> None:
    """y[n, p * stride + w, c] += cotangent[n, p, c] for the first w whose x is largest[n, p, c]"""
    if _covers(group.head):
        _finish_windows(lowering, group)
    else:
        _add_windows(lowering, group)


def _covers(gradient: Value) -> bool:
    """Whether each element of x is in one window."""
    op, (x, largest, _) = gradient.op, gradient.operands
    if not isinstance(op, MaxPoolGradient) or op.strides != op.window:
        return False
    lengths = zip(x.shape[1:-1], largest.shape[1:-1], op.window, strict=True)
    return all(length == count * width for length, count, width in lengths)


def _finish_windows(lowering: Lowering, group: Group) -> None:
    """Each element is finished in its window."""
    k = lowering.kernel(group)

    def put(indices: tuple[Index, ...], _: Index, share: Register, mask: Mask) -> None:
        k.finish(share, Position.of(*indices), mask)

    _each_window(k, lambda n: None, put)
    lowering.launch(k)


def _add_windows(lowering: Lowering, group: Group) -> None:
    """Elements are cleared, added to, and finished at last."""
    anchor, root = group.head, lowering.buffer(group.root)
    op = group.head_op(MaxPoolGradient)
    alone = group.members == (anchor,) and root.pitch is None
    sums = root if alone else lowering.scratch(anchor.tensor_type, "sums")
    k = lowering.kernel(group)
    target, size = k.write(sums), prod(anchor.shape[1:], start=1)
    apart = all(s >= w for s, w in zip(op.strides, op.window, strict=True))

    def clear(n: Index) -> None:
        start = k.multiply(n, k.dim(size))

        def vector(i: Index, lanes: int, mask: Mask) -> None:
            nothing = k.number(0, Kind(anchor.dtype, lanes))
            k.store(target, k.add(start, i), nothing, mask)

        for_each_vector(k, "i", size, vector)

    def put(_: tuple[Index, ...], place: Index, share: Register, mask: Mask) -> None:
        total = share if apart else share + k.load(target, place, share.kind.lanes, mask)
        k.store(target, place, total, mask)

    _each_window(k, clear, put)
    lowering.launch(k)
    if not alone:
        _finish(lowering.kernel(group, "finished"), sums)


def _finish(k: GroupKernel, sums: Buffer) -> None:
    shape, source = k.group.head.shape, k.read(sums)

    def element(position: Position, lanes: int, mask: Mask) -> None:
        k.finish(k.load(source, offset(k, position, shape, shape), lanes, mask), position, mask)

    for_each_element(k, shape, epilogue_shapes(k), element)
    k.lowering.launch(k)


def _each_window(k: GroupKernel, begin: Callable[[Index], None], put: Put) -> None:
    """begin(image), then put for each element of each window, images in parallel."""
    op = k.group.head_op(MaxPoolGradient)
    x, largest, cotangent = k.group.head.operands
    source, tops, g = k.read(x), k.read(largest), k.read(cotangent)
    x_steps, g_steps = (
        [k.dim(step) for step in strides(value.shape)] for value in (x, cotangent)
    )

    def image(n: Index) -> None:
        begin(n)
        positions((n,), k.multiply(n, x_steps[0]), k.multiply(n, g_steps[0]))

    def positions(indices: tuple[Index, ...], left: Index, right: Index) -> None:
        """`indices` are those of an image and of the first elements of windows so far."""
        axis = len(indices)
        if axis == x.ndim - 1:
            for_each_vector(
                k, "c", x.shape[-1], lambda c, *rest: window((*indices, c), left, right, *rest)
            )
            return

        def inside(p: Index) -> None:
            first = k.multiply(p, op.strides[axis - 1])
            positions(
                (*indices, first),
                k.add(left, k.multiply(first, x_steps[axis])),
                k.add(right, k.multiply(p, g_steps[axis])),
            )

        k.loop(f"p{axis - 1}", 0, k.dim(cotangent.shape[axis]), inside)

    def window(
        indices: tuple[Index, ...], left: Index, right: Index, lanes: int, mask: Mask
    ) -> None:
        n, *firsts, c = indices
        place = k.add(right, c)
        top, rest = k.load(tops, place, lanes, mask), k.load(g, place, lanes, mask)
        for element in product(*map(range, op.window)):
            at, places = k.add(left, c), []
            for entry, first, step in zip(element, firsts, x_steps[1:-1], strict=True):
                at = k.add(at, k.multiply(step, entry))
                places.append(k.add(first, entry))
            hit = k.compare("equal", k.load(source, at, lanes, mask), top)
            put((n, *places, c), at, k.select(hit, rest, 0.0), mask)
            rest = k.select(hit, 0.0, rest)

    cost = k.dim(prod(cotangent.shape[1:], start=1) * prod(op.window))
    k.parallel({"n": k.dim(x.shape[0])}, image, cost=cost)
