"""Penalties on weights and outputs, which training adds to the loss."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from kerac.configured import Configured
from kerac.convert import Conversion
from kerac.eager import evaluate
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from kerac.lookup import find, table_of


class Regularizer(Configured):
    """Base of the penalties."""

    module: ClassVar[str] = "keras.regularizers"

    def __call__(self, x: Any) -> Any:
        if not isinstance(x, Value):
            return evaluate(self.__call__, [x])
        return self.penalty(x if x.tensor_type.is_float else ops.cast(x, "f32"))

    def penalty(self, x: Value) -> Value:
        """The number that is added to the loss, of x's dtype."""
        raise UnsupportedError(f"{type(self).__name__} does not say what it computes")


class L1(Regularizer):
    """l1 * sum(|x|)."""

    l1: float = 0.01

    def penalty(self, x: Value) -> Value:
        return self.l1 * _total(abs(x))

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        return _renamed(arguments, "l", "l1")


class L2(Regularizer):
    """l2 * sum(x * x)."""

    l2: float = 0.01

    def penalty(self, x: Value) -> Value:
        return self.l2 * _total(ops.Square()(x))

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        return _renamed(arguments, "l", "l2")


class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x * x)."""

    l1: float = 0.0
    l2: float = 0.0

    def penalty(self, x: Value) -> Value:
        parts = [L1(self.l1).penalty(x)] if self.l1 else []
        parts += [L2(self.l2).penalty(x)] if self.l2 else []
        return sum(parts[1:], start=parts[0]) if parts else ops.constant(0.0, x.dtype)


class OrthogonalRegularizer(Regularizer):
    """factor * the mean of |products| of different rows or columns of norm 1."""

    factor: float = 0.01
    mode: Literal["rows", "columns"] = "rows"

    def penalty(self, x: Value) -> Value:
        if x.ndim != 2:
            raise ShapeError(f"OrthogonalRegularizer: takes matrices, but got {x.type}")
        rows = x if self.mode == "rows" else ops.transpose(x, (1, 0))
        count = rows.shape[0]
        norms = ops.Sqrt()(ops.reduce_sum(ops.Square()(rows), (1,), keepdims=True))
        rows = rows / ops.maximum(norms, 1e-7)
        products = abs(ops.Matmul()(rows, ops.transpose(rows, (1, 0))))
        others = ops.constant(1.0 - np.eye(count), x.dtype)
        pairs = count * (count - 1) / 2
        if not pairs:
            raise CompileError("OrthogonalRegularizer: compares rows, but there is only one")
        penalty: Value = self.factor * 0.5 * _total(products * others) / pairs
        return penalty


def _total(x: Value) -> Value:
    return ops.reduce_sum(x, tuple(range(x.ndim)))


def _renamed(arguments: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {(new if name == old else name): value for name, value in arguments.items()}


# the names by which scripts call them
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

REGULARIZERS = table_of(L1, L2, L1L2, OrthogonalRegularizer, l1=L1, l2=L2, l1_l2=L1L2, l1l2=L1L2)


def get(identifier: Any) -> Regularizer | None:
    """The regularizer that a name, a config, a class or an instance stands for."""
    found: Regularizer | None = find(identifier, REGULARIZERS, Regularizer, "regularizer")
    return found


def serialize(regularizer: Regularizer) -> dict[str, Any]:
    """A regularizer as Keras writes it."""
    return regularizer.serialize()


def deserialize(config: Any) -> Regularizer | None:
    """The regularizer that a config describes."""
    return get(config)


MaybeRegularizer = Annotated[Regularizer | None, Conversion(get, serialize, "a regularizer")]
"""The kind of a layer's field that holds a regularizer or None."""
