"""Formulas as ONNX nodes: `+ - * /` on a `Tensor` and functions of `OnnxMathematics` add nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerac.backends.onnx.builder import Builder
from kerac.backends.onnx.types import element_type
from kerac.ir import numpy_dtype
from kerac.ir.mathematics import gelu_by_erf

# Runtimes compute in few integer types; a wider one gives the same low bits.
WIDER = {"bool": "i32", "i8": "i32", "i16": "i32", "u8": "i32", "u16": "i32", "u32": "i64"}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph under construction, as an operand of formulas."""

    emit: Builder
    name: str
    dtype: str

    def node(
        self, op_type: str, *operands: Any, dtype: str | None = None, **attributes: Any
    ) -> Tensor:
        """The result of a node; numbers among its operands become constants of this dtype."""
        names = [self.like(operand).name for operand in operands]
        return Tensor(self.emit, self.emit.node(op_type, *names, **attributes), dtype or self.dtype)

    def like(self, operand: Any) -> Tensor:
        """`operand`, or a scalar of this dtype where it is a number."""
        if isinstance(operand, Tensor):
            return operand
        return Tensor(self.emit, self.emit.constant(operand, numpy_dtype(self.dtype)), self.dtype)

    def cast(self, dtype: str) -> Tensor:
        """The same numbers in another dtype."""
        return (
            self
            if dtype == self.dtype
            else self.node("Cast", self, dtype=dtype, to=element_type(dtype))
        )

    def widened(self) -> Tensor:
        """In a dtype that runtimes compute in."""
        return self.cast(WIDER.get(self.dtype, self.dtype))

    def __add__(self, other: Any) -> Tensor:
        return self.node("Add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return self.node("Add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return self.node("Sub", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return self.node("Sub", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return self.node("Mul", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return self.node("Mul", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return self.node("Div", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self.node("Div", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return self.node("MatMul", self, other)

    def __neg__(self) -> Tensor:
        return 0 - self if self.dtype == "u64" else self.node("Neg", self)


class OnnxMathematics:
    """`kerac.ir.mathematics.Mathematics` on tensors."""

    def exp(self, x: Tensor) -> Tensor:
        return x.node("Exp", x)

    def expm1(self, x: Tensor) -> Tensor:
        # exp(x) - 1 = 2t / (1 - t) with t = tanh(x / 2), which does not cancel near 0
        t = self.tanh(x * 0.5)
        return self.select(self.less(self.abs(x), 1.0), (t + t) / (1.0 - t), self.exp(x) - 1.0)

    def log(self, x: Tensor) -> Tensor:
        return x.node("Log", x)

    def log1p(self, x: Tensor) -> Tensor:
        # log(u) + (x - (u - 1)) / u with u = 1 + x: the second term is what rounding took from u
        u = x + 1.0
        near = self.log(u) + (x - (u - 1.0)) / u
        return self.select(self.less(self.abs(x), 0.5), near, self.log(u))

    def sqrt(self, x: Tensor) -> Tensor:
        return x.node("Sqrt", x)

    def tanh(self, x: Tensor) -> Tensor:
        return x.node("Tanh", x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return x.node("Sigmoid", x)

    def silu(self, x: Tensor) -> Tensor:
        return x * self.sigmoid(x)

    def erf(self, x: Tensor) -> Tensor:
        return x.node("Erf", x)

    def gelu(self, x: Tensor) -> Tensor:
        result: Tensor = gelu_by_erf(self, x)
        return result

    def sin(self, x: Tensor) -> Tensor:
        return x.node("Sin", x)

    def cos(self, x: Tensor) -> Tensor:
        return x.node("Cos", x)

    def abs(self, x: Tensor) -> Tensor:
        return x.node("Abs", x)

    def floor(self, x: Tensor) -> Tensor:
        return x.node("Floor", x)

    def round(self, x: Tensor) -> Tensor:
        return x.node("Round", x)

    def maximum(self, x: Any, y: Any) -> Tensor:
        return _either(x, y).node("Max", x, y)

    def minimum(self, x: Any, y: Any) -> Tensor:
        return _either(x, y).node("Min", x, y)

    def power(self, x: Any, y: Any) -> Tensor:
        return _either(x, y).node("Pow", x, y)

    def less(self, x: Any, y: Any) -> Tensor:
        return _either(x, y).node("Less", x, y, dtype="bool")

    def select(self, condition: Tensor, x: Any, y: Any) -> Tensor:
        return _either(x, y).node("Where", condition, x, y)

    def bits(self, operation: str, x: Tensor, y: Tensor) -> Tensor:
        if operation in ("shift_left", "shift_right"):
            # BitShift is for numbers without a sign alone; f64 holds all of 32 bits
            power = x.like(2).cast("f64").node("Pow", x.like(2).cast("f64"), y.cast("f64"))
            wide = x.cast("f64")
            shifted = wide * power if operation == "shift_left" else self.floor(wide / power)
            return shifted.cast("i64").cast(x.dtype)
        return x.node(f"Bitwise{operation.capitalize()}", x, y)


def _either(x: Any, y: Any) -> Tensor:
    """The one of two operands that is a tensor; the other may be a number."""
    tensor: Tensor = x if isinstance(x, Tensor) else y
    return tensor


ONNX = OnnxMathematics()
