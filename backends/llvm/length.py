"""Dimensions as numbers."""

from __future__ import annotations

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Kind, Register
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.pointwise import Position
from kerac.ir.ops.constant import Length


@lowers(Length)
def lower_length(lowering: Lowering, group: Group) -> None:
    """y = dim"""
    op = group.head_op(Length)
    k = lowering.kernel(group)
    dim = k.dim(op.dim)
    number = (
        k.convert(dim, op.dtype) if isinstance(dim, Register) else k.number(dim, Kind(op.dtype))
    )
    k.finish(number, Position(()))
    lowering.launch(k)
