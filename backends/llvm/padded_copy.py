"""A copy of an array with zeros around its last spatial axis.

Convolutions read it where the border cannot be laid out when the kernel is built.
"""

from __future__ import annotations

from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, Index, Kind, Mask
from kerac.backends.llvm.lowering import Lowering
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.window import Axis
from kerac.ir.dims import DimLike
from kerac.ir.graph import Value
from kerac.ir.types import TensorType, computing_dtype

# elements on the last axis, above which the border is padded instead of being laid out
WIDE_WINDOW = 15


def needs_padded_copy(axis: Axis) -> bool:
    """Whether the border of the last axis cannot be laid out when the kernel is built."""
    return axis.padded and (not isinstance(axis.length, int) or axis.window > WIDE_WINDOW)


def pad_last_axis(lowering: Lowering, x: Value, axes: list[Axis]) -> tuple[Buffer, list[Axis]]:
    """A copy of x with zeros around its last spatial axis, and the axes of that copy."""
    last = axes[-1]
    length = last.length + last.before + last.after
    padded = TensorType(computing_dtype(x.dtype), (*x.shape[:-2], length, x.shape[-1]))
    buffer = lowering.scratch(padded, "padded")
    copy_padded(lowering, x, padded, last.before, buffer)
    return buffer, [
        *axes[:-1],
        Axis(length, last.window, last.stride, last.dilation, 0, 0, last.positions),
    ]


def copy_padded(
    lowering: Lowering, x: Value, padded: TensorType, before: DimLike, target: Buffer
) -> None:
    """Zeros, then each row of x into its place."""
    from kerac.backends.llvm.pointwise import for_each_vector

    k = lowering.kernel(Group((x,), None), "pad")
    source, sink = k.read(x), k.write(target)
    new_width = k.dim(padded.shape[-2] * padded.shape[-1])
    channels, pitch = k.dim(x.shape[-1]), k.pitch(x)
    # the positions of a piece lie apart
    places, length = (1, x.shape[-2] * x.shape[-1]) if pitch is None else x.shape[-2:]
    step = k.dim(length) if pitch is None else pitch

    def row(r: Index) -> None:
        start, offset = r * new_width, k.dim(before)
        for_each_vector(
            k,
            "z",
            padded.shape[-2] * padded.shape[-1],
            lambda i, lanes, mask: k.store(
                sink, start + i, k.number(0.0, Kind(padded.dtype, lanes)), mask
            ),
        )

        def place(w: Index) -> None:
            source_start = k.multiply(k.add(k.multiply(r, k.dim(places)), w), step)
            sink_start = k.add(start, k.multiply(channels, k.add(w, offset)))

            def vector(i: Index, lanes: int, mask: Mask) -> None:
                value = k.widened(k.load(source, k.add(source_start, i), lanes, mask))
                k.store(sink, k.add(sink_start, i), value, mask)

            for_each_vector(k, "i", length, vector)

        k.loop("w", 0, k.dim(places), place)

    k.parallel(
        {"r": k.dim(prod(x.shape[:-2], start=1))}, row, cost=k.multiply(new_width, 2 * ELEMENT)
    )
    lowering.launch(k)
