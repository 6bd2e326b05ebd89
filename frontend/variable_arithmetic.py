"""Operators on variables: on values while a graph is made, otherwise on arrays."""

from __future__ import annotations

import operator
from typing import Any


class VariableArithmetic:
    """Base of variables: Python's operators in terms of `as_value`."""

    def as_value(self) -> Any:
        """The value in the graph in the making, or the array."""
        return self

    def __add__(self, other: Any) -> Any:
        return operator.add(self.as_value(), operand(other))

    def __radd__(self, other: Any) -> Any:
        return operator.add(operand(other), self.as_value())

    def __sub__(self, other: Any) -> Any:
        return operator.sub(self.as_value(), operand(other))

    def __rsub__(self, other: Any) -> Any:
        return operator.sub(operand(other), self.as_value())

    def __mul__(self, other: Any) -> Any:
        return operator.mul(self.as_value(), operand(other))

    def __rmul__(self, other: Any) -> Any:
        return operator.mul(operand(other), self.as_value())

    def __truediv__(self, other: Any) -> Any:
        return operator.truediv(self.as_value(), operand(other))

    def __rtruediv__(self, other: Any) -> Any:
        return operator.truediv(operand(other), self.as_value())

    def __pow__(self, other: Any) -> Any:
        return operator.pow(self.as_value(), operand(other))

    def __matmul__(self, other: Any) -> Any:
        return operator.matmul(self.as_value(), operand(other))

    def __rmatmul__(self, other: Any) -> Any:
        return operator.matmul(operand(other), self.as_value())

    def __neg__(self) -> Any:
        return operator.neg(self.as_value())

    def __abs__(self) -> Any:
        return operator.abs(self.as_value())

    def __getitem__(self, key: Any) -> Any:
        return self.as_value()[key]


def operand(x: Any) -> Any:
    """A variable as what it stands for; anything else as it is."""
    return x.as_value() if isinstance(x, VariableArithmetic) else x
