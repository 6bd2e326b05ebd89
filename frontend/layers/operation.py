"""Operators on symbolic tensors, such as `x + y`: nodes of a model that are no layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kerac.configured import fields
from kerac.ir import Value, ops
from kerac.layers.base import FLOATS, REGISTRY, Layer, as_float
from kerac.layers.merging import broadcastable
from kerac.names import automatic_name

OPERATIONS: dict[str, type[Operation]] = {}


class Operation(Layer, registered=False):
    """Base: a function of values and numbers, which Keras calls `class_name` in its module."""

    module: ClassVar[str] = "keras.src.ops.numpy"
    class_name: ClassVar[str] = ""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Put the operation into the tables, as `ops.Add` for the class `AddOperation`."""
        super().__init_subclass__(registered=False, **keywords)
        if not cls.__name__.startswith("_"):
            cls.class_name = cls.__name__.removesuffix("Operation")
            OPERATIONS[f"ops.{cls.class_name}"] = REGISTRY[f"ops.{cls.class_name}"] = cls

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        kwargs["name"] = kwargs.get("name") or automatic_name(self.class_name)
        return super()._by_name(args, kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        hidden = fields(Layer).keys() - {"name"}
        return {name: value for name, value in config.items() if name not in hidden}

    def serialize(self) -> dict[str, Any]:
        return {
            "module": self.module,
            "class_name": self.class_name,
            "config": self.get_config(),
            "registered_name": self.class_name,
        }


class _Elementwise(Operation):
    """Base: operands broadcast, and numbers take the dtype of values."""

    function: ClassVar[Callable[..., Value]]

    def call(self, *operands: Any) -> Any:
        values = [x for x in operands if isinstance(x, Value)]
        dtype = "f32" if any(v.dtype in FLOATS for v in values) else values[0].dtype
        if any(_is_fraction(x) for x in operands):
            dtype = "f32"
        constants = [
            x if isinstance(x, Value) else ops.constant(np.asarray(x), dtype) for x in operands
        ]
        return type(self).function(*broadcastable(constants))


def _is_fraction(x: Any) -> bool:
    return not isinstance(x, Value) and np.asarray(x).dtype.kind == "f"


def _define(class_name: str, function: Callable[..., Value], module: str = "numpy") -> None:
    attributes = {
        "function": staticmethod(function),
        "module": f"keras.src.ops.{module}",
        "__doc__": function.__doc__,
        "__module__": __name__,
    }
    type(f"{class_name}Operation", (_Elementwise,), attributes)


def _divide(x: Value, y: Value) -> Value:
    return ops.divide(as_float(x), as_float(y))


def _unary(op: ops.Unary) -> Callable[[Value], Value]:
    return lambda x: op(as_float(x) if op.float_only else x)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "Add": ops.add,
    "Subtract": ops.subtract,
    "Multiply": ops.multiply,
    "Divide": _divide,
    "TrueDivide": _divide,
    "Power": ops.Power(),
    "Maximum": ops.maximum,
    "Minimum": ops.minimum,
    "Equal": ops.Equal(),
    "NotEqual": ops.NotEqual(),
    "Less": ops.Less(),
    "LessEqual": ops.LessEqual(),
    "Greater": ops.Greater(),
    "GreaterEqual": ops.GreaterEqual(),
    "LogicalAnd": ops.LogicalAnd(),
    "LogicalOr": ops.LogicalOr(),
    "LogicalNot": ops.LogicalNot(),
    "Negative": _unary(ops.Negative()),
    "Absolute": _unary(ops.Absolute()),
    "Exp": _unary(ops.Exp()),
    "Log": _unary(ops.Log()),
    "Sqrt": _unary(ops.Sqrt()),
    "Square": _unary(ops.Square()),
    "Tanh": _unary(ops.Tanh()),
}
ACTIVATIONS: dict[str, ops.Unary] = {
    "Relu": ops.Relu(),
    "Relu6": ops.Relu6(),
    "Sigmoid": ops.Sigmoid(),
    "Silu": ops.Silu(),
    "Softplus": ops.Softplus(),
    "HardSigmoid": ops.HardSigmoid(),
}
for _name, _function in FUNCTIONS.items():
    _define(_name, _function)
for _name, _op in ACTIVATIONS.items():
    _define(_name, _unary(_op), "nn")
