"""Symbolic tensors of the functional API: what a layer will return, and the call that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.types import TensorType
from kerac.structure import leaves

if TYPE_CHECKING:
    from kerac.layers.base import Layer


@dataclass(eq=False)
class Node:
    """One call of a layer: its arguments, with symbolic tensors in them, and what it returned."""

    layer: Layer
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any = None

    @property
    def inputs(self) -> list[KerasTensor]:
        """All symbolic tensors among the arguments."""
        return [x for x in leaves([self.args, self.kwargs]) if isinstance(x, KerasTensor)]


class KerasTensor:
    """The `position`-th result of a call; shapes have None where a length is not known."""

    def __init__(self, type: TensorType, node: Node, position: int, name: str) -> None:
        self.type = type
        self.node = node
        self.position = position
        self.name = name

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Lengths of the axes."""
        return shape_of(self.type)

    @property
    def dtype(self) -> str:
        """Keras's name of the dtype."""
        return "string" if self.type.dtype == "string" else self.type.numpy_dtype.name

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.type.ndim

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __len__(self) -> int:
        raise TypeError("a symbolic tensor has no length; use its shape")

    def __iter__(self) -> Any:
        raise TypeError("a symbolic tensor cannot be iterated over; take parts by layers")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        raise TypeError("a symbolic tensor has no values; call a model on arrays instead")

    def __add__(self, other: Any) -> Any:
        return _operation("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return _operation("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return _operation("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _operation("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return _operation("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _operation("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _operation("true_divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _operation("true_divide", other, self)

    def __pow__(self, other: Any) -> Any:
        return _operation("power", self, other)

    def __lt__(self, other: Any) -> Any:
        return _operation("less", self, other)

    def __le__(self, other: Any) -> Any:
        return _operation("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return _operation("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return _operation("greater_equal", self, other)

    def __neg__(self) -> Any:
        return _operation("negative", self)

    def __matmul__(self, other: Any) -> Any:
        return _operation("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _operation("matmul", other, self)

    def __rpow__(self, other: Any) -> Any:
        return _operation("power", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _operation("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _operation("floor_divide", other, self)

    def __mod__(self, other: Any) -> Any:
        return _operation("mod", self, other)

    def __rmod__(self, other: Any) -> Any:
        return _operation("mod", other, self)

    def __and__(self, other: Any) -> Any:
        return _operation("bitwise_and", self, other)

    def __or__(self, other: Any) -> Any:
        return _operation("bitwise_or", self, other)

    def __xor__(self, other: Any) -> Any:
        return _operation("bitwise_xor", self, other)

    def __invert__(self) -> Any:
        return _operation("bitwise_not", self)

    def __abs__(self) -> Any:
        return _operation("absolute", self)

    def __getitem__(self, key: Any) -> Any:
        return _operation("get_item", self, key)


def _operation(name: str, *operands: Any) -> Any:
    from kerac import ops

    return getattr(ops, name)(*operands)


def shape_of(type_: TensorType) -> tuple[int | None, ...]:
    """A shape as Keras has it, None where a length is not known."""
    return tuple(dim if isinstance(dim, int) else None for dim in type_.shape)


def reference(tensor: KerasTensor, node_index: int) -> dict[str, Any]:
    """A symbolic tensor as Keras writes it."""
    return {
        "class_name": "__keras_tensor__",
        "config": {
            "shape": list(tensor.shape),
            "dtype": tensor.dtype,
            "keras_history": [tensor.node.layer.name, node_index, tensor.position],
        },
    }
