"""Ops on the bits of integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kerac.ir.errors import ShapeError
from kerac.ir.mathematics import Mathematics
from kerac.ir.ops.elementwise import Binary
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class Bitwise(Binary, abstract=True):
    """x: integer[...], y: integer[...] -> integer[...]"""

    operation: ClassVar[str] = ""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        if x.is_float or x.dtype == "bool":
            raise ShapeError(f"x must hold integers, but is {x.dtype}")
        return super().infer(x, y)

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return m.bits(self.operation, x, y)


class BitwiseAnd(Bitwise):
    """Bits that both have."""

    operation = "and"


class BitwiseOr(Bitwise):
    """Bits that one of them has."""

    operation = "or"


class BitwiseXor(Bitwise):
    """Bits that only one of them has."""

    operation = "xor"


class ShiftLeft(Bitwise):
    """x * 2**y; bits that leave are lost. y lies from 0 to the number of bits - 1."""

    operation = "shift_left"


class ShiftRight(Bitwise):
    """x / 2**y towards minus infinity. y lies from 0 to the number of bits - 1."""

    operation = "shift_right"
