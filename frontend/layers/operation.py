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
        if kwargs.get("name") is None:
            kwargs["name"] = automatic_name(self.class_name)
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


Operand = Value | np.ndarray | float | bool


class _Unary(Operation):
    """Base: a function of one tensor."""

    function: ClassVar[Callable[..., Value]]

    def call(self, x: Value) -> Any:
        return type(self).function(x)


class _Binary(Operation):
    """Base: operands broadcast, and numbers take the dtype of values."""

    function: ClassVar[Callable[..., Value]]

    def call(self, x1: Operand, x2: Operand) -> Any:
        dtype = "f32" if any(map(_is_fraction, (x1, x2))) else _integers(x1, x2)
        values = [
            x if isinstance(x, Value) else ops.constant(np.asarray(x), dtype) for x in (x1, x2)
        ]
        return type(self).function(*broadcastable(values))


def _is_fraction(x: Operand) -> bool:
    if isinstance(x, Value):
        return x.dtype in FLOATS
    return np.asarray(x).dtype.kind == "f"


def _integers(*operands: Operand) -> str:
    """The dtype of the first tensor."""
    return next(x.dtype for x in operands if isinstance(x, Value))


def _define(
    class_name: str, base: type[Operation], function: Callable[..., Value], module: str = "numpy"
) -> None:
    attributes = {
        "function": staticmethod(function),
        "module": f"keras.src.ops.{module}",
        "__doc__": function.__doc__,
        "__module__": __name__,
    }
    type(f"{class_name}Operation", (base,), attributes)


def _divide(x: Value, y: Value) -> Value:
    return ops.divide(as_float(x), as_float(y))


def _unary(op: ops.Unary) -> Callable[[Value], Value]:
    return lambda x: op(as_float(x) if op.float_only else x)


BINARY: dict[str, Callable[..., Value]] = {
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
}
UNARY: dict[str, ops.Unary] = {
    "Negative": ops.Negative(),
    "Absolute": ops.Absolute(),
    "Exp": ops.Exp(),
    "Log": ops.Log(),
    "Sqrt": ops.Sqrt(),
    "Square": ops.Square(),
    "Tanh": ops.Tanh(),
    "Abs": ops.Absolute(),
    "Cos": ops.Cos(),
    "Sin": ops.Sin(),
    "Expm1": ops.Expm1(),
    "Log1p": ops.Log1p(),
    "Floor": ops.Floor(),
    "Reciprocal": ops.Reciprocal(),
}
ACTIVATIONS: dict[str, ops.Unary] = {
    "Relu": ops.Relu(),
    "Relu6": ops.Relu6(),
    "Sigmoid": ops.Sigmoid(),
    "Silu": ops.Silu(),
    "Softplus": ops.Softplus(),
    "HardSigmoid": ops.HardSigmoid(),
    "HardSilu": ops.HardSilu(),
    "HardTanh": ops.HardTanh(),
    "LogSigmoid": ops.LogSigmoid(),
    "Mish": ops.Mish(),
    "Selu": ops.Selu(),
    "Softsign": ops.Softsign(),
}
_define("LogicalNot", _Unary, ops.LogicalNot())
for _name, _function in BINARY.items():
    _define(_name, _Binary, _function)
for _name, _op in UNARY.items():
    _define(_name, _Unary, _unary(_op))
for _name, _op in {"Erf": ops.Erf(), "Rsqrt": ops.Rsqrt()}.items():
    _define(_name, _Unary, _unary(_op), "math")
for _name, _op in ACTIVATIONS.items():
    _define(_name, _Unary, _unary(_op), "nn")
