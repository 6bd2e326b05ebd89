"""Operands that products read element by element: f16 and bf16 are widened once, before.

A vector is converted in an instruction or a few, but an element costs as much, and a product reads
it again for every block of columns.
"""

from __future__ import annotations

from kerac.backends.llvm.elementwise import lower_elementwise
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.lowering import Lowering
from kerac.ir.graph import Value
from kerac.ir.ops.elementwise import Cast
from kerac.ir.types import NARROW


def widened(lowering: Lowering, x: Value) -> Value:
    """x, or a copy of it in f32 that all its readers share."""
    if x.dtype not in NARROW:
        return x
    if x not in lowering.wide:
        value = Cast("f32")(x, name=f"{x.name}_wide")
        lower_elementwise(lowering, Group((value,), None))
        lowering.wide[x] = value
    return lowering.wide[x]
