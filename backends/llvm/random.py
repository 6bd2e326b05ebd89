"""Random numbers by counting, as vectors of bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerac.backends.llvm.elementwise import for_each_element
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Kind, Mask, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.pointwise import Position, epilogue_shapes, offset
from kerac.ir.ops.random import Random, RandomNormal, RandomUniform, threefry

_COUNTING = np.arange(64, dtype=np.uint32)  # as long as the widest vector; all kernels share it


@lowers(RandomUniform, RandomNormal)
def lower_random(lowering: Lowering, group: Group) -> None:
    """y[i] = formula(bits(key, i, stream))"""
    op, anchor = group.head_op(Random), group.head
    k = lowering.kernel(group)
    numbers = lowering.constant(_COUNTING, "counting")
    key = k.read(anchor.operands[0])
    first, second = k.load(key, 0), k.load(key, 1)

    def element(position: Position, lanes: int, mask: Mask) -> None:
        kind = Kind("u32", lanes)
        place = offset(k, position, anchor.shape, anchor.shape)
        start = k.number(place, kind) if isinstance(place, int) else k.convert(place, "u32")
        counter = k.broadcast(start, lanes) if start.kind.lanes != lanes else start
        if lanes > 1:
            counter = counter + k.load(k.read(numbers), 0, lanes)
        words = threefry(
            (k.broadcast(first, lanes), k.broadcast(second, lanes)),
            (counter, k.number(op.stream, kind)),
            lambda x, y: k.compute("xor", x, y),
            lambda x, distance: _rotate(k, x, distance),
        )
        x, y = (_fraction(k, word) for word in words)
        k.finish(op.formula(k.mathematics, x, y), position, mask)

    for_each_element(k, anchor.shape, epilogue_shapes(k), element)
    lowering.launch(k)


def _rotate(k: GroupKernel, x: Register, distance: int) -> Any:
    left, right = k.compute("shift_left", x, distance), k.compute("shift_right", x, 32 - distance)
    return k.compute("or", left, right)


def _fraction(k: GroupKernel, word: Register) -> Any:
    bits = k.compute("or", k.compute("shift_right", word, 9), 0x3F800000)
    return k.bitcast(bits, "f32") - 1.0
