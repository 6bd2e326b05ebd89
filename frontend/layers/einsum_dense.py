"""Fully connected layers over any axes."""

from __future__ import annotations

from typing import Any, ClassVar

from kerac.activations import Activation
from kerac.constraints import MaybeConstraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.base import Layer, as_float
from kerac.layers.einsum import einsum, parse_equation
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import traced

Shape = tuple[int | None, ...]


class EinsumDense(Layer):
    """activation(einsum(equation, inputs, kernel) + bias), as `abc,cde->abde`.

    inputs: f32[...] with the axes before the comma -> f32[batch, *output_shape]
    """

    rarely_written: ClassVar[frozenset[str]] = Layer.rarely_written | {
        "lora_rank",
        "lora_alpha",
        "gptq_unpacked_column_size",
        "quantization_config",
    }

    equation: str
    output_shape: int | tuple[int | None, ...]
    activation: Activation = None
    bias_axes: str | None = None
    kernel_initializer: Start = "glorot_uniform"
    bias_initializer: Start = "zeros"
    kernel_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    activity_regularizer: MaybeRegularizer = None
    kernel_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None
    lora_rank: None = None
    lora_alpha: None = None
    gptq_unpacked_column_size: None = None
    quantization_config: None = None

    def __post_init__(self) -> None:
        if isinstance(self.output_shape, int):
            self.output_shape = (self.output_shape,)
        kernel = self.equation.partition(",")[2].partition("->")[0]
        if self.equation.count(",") != 1 or "->" not in self.equation or not kernel.isalpha():
            raise CompileError(
                f"EinsumDense {self.name!r}: equation is {self.equation!r:.60}, "
                "but must be like 'ab,bc->ac'"
            )

    def build(self, input_shape: Shape) -> None:
        kernel_labels = self.equation.partition(",")[2].partition("->")[0]
        ndims = [len(input_shape), len(kernel_labels)]
        (inputs, kernel), result = parse_equation(self.equation, ndims)
        lengths = self._lengths(input_shape, inputs, result)
        for label in kernel:
            if label not in lengths:
                raise ShapeError(f"axis {label!r} of {self.equation!r} is in the kernel alone")
        input_axes = [axis for axis, label in enumerate(kernel) if label not in result]
        output_axes = [axis for axis, label in enumerate(kernel) if label in result]
        start = _with_axes(self.kernel_initializer, input_axes, output_axes)
        self.kernel = self.add_weight("kernel", [lengths[label] for label in kernel], start)
        self.bias = None
        if self.bias_axes is not None:
            shape = self._bias_shape(result, lengths)
            self.bias = self.add_weight("bias", shape, self.bias_initializer)

    def _lengths(
        self, input_shape: Shape, inputs: tuple[str, ...], result: tuple[str, ...]
    ) -> dict[str, int | None]:
        """The length of each named axis."""
        lengths: dict[str, int | None] = dict(zip(inputs, input_shape, strict=True))
        named = [label for label in result if label[0] != "."]
        behind = self.equation.endswith("...") or "..." not in self.equation
        given = tuple(self.output_shape)  # type: ignore[arg-type]
        given = (None, *given) if behind else given
        if len(given) != len(named):
            raise ShapeError(
                f"output_shape {self.output_shape} does not fit the equation {self.equation!r}"
            )
        for label, length in zip(named, given, strict=True):
            known = lengths.get(label)
            if known is not None and length is not None and known != length:
                raise ShapeError(
                    f"axis {label!r} of {self.equation!r} is {known} in the input, "
                    f"but {length} in output_shape"
                )
            lengths[label] = known if length is None else length
        return lengths

    def _bias_shape(
        self, result: tuple[str, ...], lengths: dict[str, int | None]
    ) -> list[int | None]:
        axes = str(self.bias_axes)
        missing = [label for label in axes if label not in result]
        if missing:
            raise CompileError(
                f"bias_axes is {axes!r}, but {missing[0]!r} is no axis of {self.equation!r}"
            )
        first = min(result.index(label) for label in axes) if axes else len(result)
        return [lengths[label] if label in axes else 1 for label in result[first:]]

    def call(self, inputs: Value) -> Any:
        x = einsum(self.equation, as_float(inputs), traced(self.kernel))
        if self.bias is not None:
            x = ops.add(x, traced(self.bias))
        return self.activation(x)


def _with_axes(start: Any, input_axes: list[int], output_axes: list[int]) -> Any:
    """An initializer that scales by what the kernel's axes are."""
    if not hasattr(start, "input_axes") or None not in (start.input_axes, start.output_axes):
        return start
    axes = {"input_axes": input_axes, "output_axes": output_axes}
    return type(start).from_config(start.get_config() | axes)
