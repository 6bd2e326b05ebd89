"""Activation functions as layers."""

from __future__ import annotations

from typing import Any

from kerac import activations
from kerac.activations import Activation as Function
from kerac.constraints import MaybeConstraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.layers.base import Layer, as_float
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import traced

LARGE_NEGATIVE = -1e9


class Activation(Layer):
    """An activation function by its name."""

    supports_masking = True

    activation: Function

    def call(self, inputs: Value) -> Any:
        return self.activation(inputs)


class FunctionLayer(Layer, registered=False):
    """An activation with arguments, called on a symbolic tensor or an array."""

    supports_masking = True

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self._function, self._args, self._kwargs = function, args, kwargs

    def call(self, inputs: Value) -> Any:
        return self._function(inputs, *self._args, **self._kwargs)


class ReLU(Layer):
    """Rectified linear unit with a slope below and a limit above."""

    supports_masking = True

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        slope = arguments.get("negative_slope")
        return arguments | {"negative_slope": _number(slope) if slope is not None else 0.0}

    def __post_init__(self) -> None:
        for name in ("max_value", "negative_slope", "threshold"):
            if (getattr(self, name) or 0) < 0:
                raise CompileError(
                    f"ReLU {self.name!r}: {name} is {getattr(self, name)}, but must not be negative"
                )

    def call(self, inputs: Value) -> Any:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(Layer):
    """x where x >= 0, else negative_slope * x."""

    supports_masking = True

    negative_slope: float = 0.3

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if "alpha" in arguments:
            arguments["negative_slope"] = _number(arguments.pop("alpha"))
        return arguments

    def __post_init__(self) -> None:
        if self.negative_slope < 0:
            raise CompileError(
                f"LeakyReLU {self.name!r}: negative_slope is {self.negative_slope}, "
                "but must not be negative"
            )

    def call(self, inputs: Value) -> Any:
        return activations.leaky_relu(inputs, self.negative_slope)


class PReLU(Layer):
    """x where x >= 0, else alpha * x, with a weight for every place but along `shared_axes`."""

    supports_masking = True

    alpha_initializer: Start = "zeros"
    alpha_regularizer: MaybeRegularizer = None
    alpha_constraint: MaybeConstraint = None
    shared_axes: list[int] | None = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if isinstance(arguments.get("shared_axes"), int):
            arguments["shared_axes"] = [arguments["shared_axes"]]
        return arguments

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if not 1 <= axis <= len(shape):
                raise CompileError(f"shared_axes names axis {axis}, but the input is {input_shape}")
            shape[axis - 1] = 1
        self.alpha = self.add_weight("alpha", shape, self.alpha_initializer)

    def call(self, inputs: Value) -> Any:
        x = as_float(inputs)
        below = ops.multiply(traced(self.alpha), ops.Relu()(ops.Negative()(x)))
        return ops.subtract(ops.Relu()(x), below)


class ELU(Layer):
    """x where x >= 0, else alpha * (exp(x) - 1)."""

    supports_masking = True

    alpha: float = 1.0

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        return arguments | ({"alpha": _number(arguments["alpha"])} if "alpha" in arguments else {})

    def call(self, inputs: Value) -> Any:
        return activations.elu(inputs, self.alpha)


class Softmax(Layer):
    """exp(x) / sum(exp(x)) along one axis or over several; masked elements become 0.

    inputs: f32[...], mask: bool[...], which broadcasts -> f32[...]
    """

    supports_masking = True

    axis: int | tuple[int, ...] = -1

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config | {"axis": list(self.axis) if isinstance(self.axis, tuple) else self.axis}

    def call(self, inputs: Value, mask: Value | None = None) -> Any:
        x = as_float(inputs)
        if mask is None:
            return activations.softmax(x, self.axis)
        mask = mask if mask.dtype == "bool" else ops.Greater()(mask, ops.constant(0.5, mask.dtype))
        hidden = ops.select(mask, x, ops.constant(LARGE_NEGATIVE, x.dtype))
        return ops.select(
            mask, activations.softmax(hidden, self.axis), ops.constant(0.0, x.dtype)
        )


def _number(value: Any) -> Any:
    """A number that Keras 2 wrote as an array without axes."""
    return value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else value
