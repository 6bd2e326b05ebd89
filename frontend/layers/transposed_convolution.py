"""Transposed convolutions in one, two and three dimensions: each input place spreads a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kerac.activations import Activation
from kerac.constraints import MaybeConstraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.ir.transposed_convolution import transposed_convolution
from kerac.layers.convolution import WindowLayer
from kerac.layers.data_format import GivenDataFormat
from kerac.layers.spatial import Padding, Sizes, not_both_above_one, positive
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import traced


class TransposedConvolution(WindowLayer, registered=False):
    """A convolution of the input with zeros between its places, by the kernel turned round.

    inputs: f32[N, *spatial, C], kernel: f32[*kernel_size, filters, C]
    -> f32[N, *positions, filters]
    """

    rarely_written: ClassVar[frozenset[str]] = frozenset()

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    output_padding: Sizes | None = None
    data_format: GivenDataFormat = None
    dilation_rate: Sizes = 1
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Start = "glorot_uniform"
    bias_initializer: Start = "zeros"
    kernel_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    activity_regularizer: MaybeRegularizer = None
    kernel_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        # what Keras 2 wrote, because these were Convolutions there
        if arguments.get("groups") == 1:
            del arguments["groups"]
        return super().modernize(arguments)

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "filters")
        title = f"{type(self).__name__} {self.name!r}"
        if isinstance(self.output_padding, int):
            self.output_padding = (self.output_padding,) * self.rank
        if self.output_padding is not None and (
            len(self.output_padding) != self.rank
            or any(
                not 0 <= more < stride
                for more, stride in zip(self.output_padding, self.strides, strict=True)  # type: ignore[arg-type]
            )
        ):
            raise CompileError(
                f"{title}: output_padding is {self.output_padding}, "
                f"but must be less than strides, {self.strides}"
            )
        not_both_above_one(self, "strides", "dilation_rate")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (*self.kernel_size, self.filters, self.channels(input_shape))  # type: ignore[misc]
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        self.add_bias(self.filters)

    def convolve(self, x: Value) -> Value:
        numbers: Any = (self.strides, self.padding, self.output_padding, self.dilation_rate)
        window = TransposedWindow(*numbers)
        return window.apply(x, traced(self.kernel), traced(self.bias))


@dataclass(frozen=True)
class TransposedWindow:
    """How a transposed convolution slides: one number for each spatial axis."""

    strides: tuple[int, ...]
    padding: str
    output_padding: tuple[int, ...] | None
    dilation: tuple[int, ...]

    def apply(self, x: Value, kernel: Value, bias: Value | None = None) -> Value:
        """x: f32[N, *spatial, C], kernel: f32[*window, F, C] -> f32[N, *positions, F]"""
        window = kernel.shape[:-2]
        rank = len(window)
        spatial = tuple(range(rank))
        borders = tuple(self._borders(axis, window[axis]) for axis in spatial)
        if max(self.strides) > 1:
            return self._spread(x, kernel, bias, borders)
        turned = ops.transpose(ops.reverse(kernel, spatial), (*spatial, rank + 1, rank))
        return ops.Convolution(padding=borders, dilation=self.dilation)(x, turned, bias)

    def _spread(
        self, x: Value, kernel: Value, bias: Value | None, borders: tuple[tuple[int, int], ...]
    ) -> Value:
        """The same with strides."""
        sizes = kernel.shape[:-2]
        lengths = tuple(
            (length - 1) * stride + 1 + front + back - (size - 1)
            for length, stride, size, (front, back) in zip(
                x.shape[1:-1], self.strides, sizes, borders, strict=True
            )
        )
        before = [size - 1 - front for size, (front, _) in zip(sizes, borders, strict=True)]
        return transposed_convolution(x, kernel, lengths, self.strides, before, bias=bias)

    def _borders(self, axis: int, size: int) -> tuple[int, int]:
        """Zeros before and behind along an axis, so that the result is as long as Keras has it."""
        stride, dilation = self.strides[axis], self.dilation[axis]
        extent = (size - 1) * dilation + 1
        more = None if self.output_padding is None else self.output_padding[axis]
        if self.padding == "valid":
            more = max(extent, stride) - extent if more is None else more
            return extent - 1, extent - 1 + more
        total = stride + extent - 2 if more is None else extent + extent % 2 - 2 + more
        before = min((total + 1) // 2, extent - 1)
        return before, total - before


class Conv1DTranspose(TransposedConvolution):
    """Transposed convolution along one axis, such as time."""

    rank = 1


class Conv2DTranspose(TransposedConvolution):
    """Transposed convolution of images."""

    rank = 2


class Conv3DTranspose(TransposedConvolution):
    """Transposed convolution of volumes."""

    rank = 3


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
