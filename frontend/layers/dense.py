"""Fully connected layers."""

from __future__ import annotations

from typing import Any, ClassVar

from kerac.activations import Activation
from kerac.constraints import MaybeConstraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.base import Layer, as_float
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import traced


class Dense(Layer):
    """activation(inputs @ kernel + bias).

    inputs: f32[..., K] -> f32[..., units]
    """

    rarely_written: ClassVar[frozenset[str]] = Layer.rarely_written | {
        "lora_rank",
        "lora_alpha",
        "quantization_config",
    }
    supports_masking = True

    units: int
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Start = "glorot_uniform"
    bias_initializer: Start = "zeros"
    kernel_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    activity_regularizer: MaybeRegularizer = None
    kernel_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None
    lora_rank: None = None
    lora_alpha: None = None
    quantization_config: None = None

    def __post_init__(self) -> None:
        if self.units < 1:
            raise CompileError(f"Dense {self.name!r}: units is {self.units}, but must be positive")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) < 2:
            raise ShapeError(f"the input must have 2 axes or more, but its shape is {input_shape}")
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.units,), self.bias_initializer)

    def call(self, inputs: Value) -> Any:
        x = ops.dense(as_float(inputs), traced(self.kernel), traced(self.bias))
        return self.activation(x)
