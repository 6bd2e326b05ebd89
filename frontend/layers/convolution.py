"""Convolutions in one, two and three dimensions: full, grouped, depthwise and separable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kerac.activations import Activation
from kerac.constraints import MaybeConstraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, InternalError, ShapeError
from kerac.layers.base import Layer, as_float
from kerac.layers.data_format import GivenDataFormat, channel_axis, from_last, to_last
from kerac.layers.spatial import (
    Padding,
    PaddingOrCausal,
    Sizes,
    check_ndim,
    not_both_above_one,
    positive,
    sizes,
)
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import traced
from kerac.variable_arithmetic import operand


class WindowLayer(Layer, registered=False):
    """What convolutions share: a window over `rank` spatial axes, a bias and an activation."""

    rank: ClassVar[int]
    if TYPE_CHECKING:  # the arguments that all of them have
        kernel_size: Sizes
        strides: Sizes
        padding: str
        data_format: GivenDataFormat
        dilation_rate: Sizes
        activation: Activation
        use_bias: bool
        bias_initializer: Start

    def __post_init__(self) -> None:
        self.kernel_size = sizes(self, "kernel_size", self.rank)
        self.strides = sizes(self, "strides", self.rank)
        self.dilation_rate = sizes(self, "dilation_rate", self.rank)
        self.data_format = self.data_format or "channels_last"

    def channels(self, input_shape: tuple[int | None, ...]) -> int:
        """Number of channels of an input, which must be known."""
        check_ndim(input_shape, self.rank + 2)
        channels = input_shape[channel_axis(self.data_format)]
        if channels is None:
            raise ShapeError(
                f"needs to know the number of channels, but got an input of shape {input_shape}",
                remedy="Give the model an Input with the number of channels.",
            )
        return channels

    def add_bias(self, channels: int) -> None:
        """Make the bias, or None where the layer has none."""
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight("bias", (channels,), self.bias_initializer)

    def convolution(self, groups: int = 1) -> ops.Convolution:
        """The op with this layer's window."""
        padding: Any = self.padding
        if padding == "causal":
            padding = (((self.kernel_size[0] - 1) * self.dilation_rate[0], 0),)  # type: ignore[index]
        return ops.Convolution(
            strides=self.strides,  # type: ignore[arg-type]
            padding=padding,
            dilation=self.dilation_rate,  # type: ignore[arg-type]
            groups=groups,
        )

    def call(self, inputs: Value) -> Value:
        x = to_last(as_float(inputs), self.data_format)
        # after the channels are back in their place, because an activation may look along an axis
        result: Value = self.activation(from_last(self.convolve(x), self.data_format))
        return result

    def convolve(self, x: Value) -> Value:
        """x: f32[N, *spatial, C] -> f32[N, *positions, F], with the bias added."""
        raise InternalError(f"{type(self).__name__} does not convolve")


class Convolution(WindowLayer, registered=False):
    """Each kernel over all channels of its group; output = activation(sums + bias).

    inputs: f32[N, *spatial, C], kernel: f32[*kernel_size, C/groups, filters]
    -> f32[N, *positions, filters]
    """

    rarely_written: ClassVar[frozenset[str]] = frozenset({"lora_rank", "lora_alpha"})

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: PaddingOrCausal = "valid"
    data_format: GivenDataFormat = None
    dilation_rate: Sizes = 1
    groups: int = 1
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

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "filters", "groups")
        title = f"{type(self).__name__} {self.name!r}"
        if self.filters % self.groups:
            raise CompileError(
                f"{title}: {self.filters} filters do not divide into {self.groups} groups"
            )
        if self.padding == "causal" and self.rank != 1:
            raise CompileError(
                f"{title}: padding is 'causal', but time is the only axis that has causes"
            )
        not_both_above_one(self, "strides", "dilation_rate")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = self.channels(input_shape)
        if channels % self.groups:
            raise ShapeError(f"{channels} channels do not divide into {self.groups} groups")
        shape = (*self.kernel_size, channels // self.groups, self.filters)  # type: ignore[misc]
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        self.add_bias(self.filters)

    def convolve(self, x: Value) -> Value:
        return self.convolution(self.groups)(x, traced(self.kernel), traced(self.bias))

    def convolution_op(self, inputs: Value, kernel: Any) -> Value:
        """The convolution with a kernel that a subclass made, before bias and activation."""
        x = to_last(as_float(inputs), self.data_format)
        sums: Value = self.convolution(self.groups)(x, operand(kernel), None)
        return from_last(sums, self.data_format)


class Conv1D(Convolution):
    """Convolution along one axis, such as time."""

    rank = 1


class Conv2D(Convolution):
    """Convolution of images."""

    rank = 2


class Conv3D(Convolution):
    """Convolution of volumes."""

    rank = 3


class ChannelwiseLayer(WindowLayer, registered=False):
    """A convolution of each channel alone."""

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        # what Keras 2 wrote, because these were Convolutions there
        if arguments.get("groups") == 1:
            del arguments["groups"]
        for name in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            arguments.pop(name, None)
        return super().modernize(arguments)


class DepthwiseConvolution(ChannelwiseLayer, registered=False):
    """`depth_multiplier` kernels over each channel alone.

    inputs: f32[N, *spatial, C], kernel: f32[*kernel_size, C, M] -> f32[N, *positions, C*M]
    """

    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    depth_multiplier: int = 1
    data_format: GivenDataFormat = None
    dilation_rate: Sizes = 1
    activation: Activation = None
    use_bias: bool = True
    depthwise_initializer: Start = "glorot_uniform"
    bias_initializer: Start = "zeros"
    depthwise_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    activity_regularizer: MaybeRegularizer = None
    depthwise_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None
    rarely_written: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "depth_multiplier")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = self.channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)  # type: ignore[misc]
        self.kernel = self.add_weight(
            "kernel",
            shape,
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.add_bias(channels * self.depth_multiplier)

    def convolve(self, x: Value) -> Value:
        return depthwise(self.convolution(x.shape[-1]), x, traced(self.kernel), traced(self.bias))


class DepthwiseConv1D(DepthwiseConvolution):
    """Depthwise convolution along one axis, such as time."""

    rank = 1


class DepthwiseConv2D(DepthwiseConvolution):
    """Depthwise convolution of images."""

    rank = 2


class SeparableConvolution(ChannelwiseLayer, registered=False):
    """A depthwise convolution, then one with windows of one element that mixes channels.

    inputs: f32[N, *spatial, C], depthwise_kernel: f32[*kernel_size, C, M],
    pointwise_kernel: f32[1, ..., C*M, filters] -> f32[N, *positions, filters]
    """

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    data_format: GivenDataFormat = None
    dilation_rate: Sizes = 1
    depth_multiplier: int = 1
    activation: Activation = None
    use_bias: bool = True
    depthwise_initializer: Start = "glorot_uniform"
    pointwise_initializer: Start = "glorot_uniform"
    bias_initializer: Start = "zeros"
    depthwise_regularizer: MaybeRegularizer = None
    pointwise_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    activity_regularizer: MaybeRegularizer = None
    depthwise_constraint: MaybeConstraint = None
    pointwise_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None
    rarely_written: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "filters", "depth_multiplier")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = self.channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel",
            (*self.kernel_size, channels, self.depth_multiplier),  # type: ignore[misc]
            self.depthwise_initializer,
        )
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel",
            (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
        )
        self.add_bias(self.filters)

    def convolve(self, x: Value) -> Value:
        apart = depthwise(self.convolution(x.shape[-1]), x, traced(self.depthwise_kernel))
        return ops.Convolution()(apart, traced(self.pointwise_kernel), traced(self.bias))


class SeparableConv1D(SeparableConvolution):
    """Separable convolution along one axis, such as time."""

    rank = 1


class SeparableConv2D(SeparableConvolution):
    """Separable convolution of images."""

    rank = 2


def depthwise(
    convolution: ops.Convolution, x: Value, kernel: Value, bias: Value | None = None
) -> Value:
    """A convolution in as many groups as channels, by a kernel f32[*window, C, M]."""
    *window, channels, multiplier = kernel.shape
    return convolution(x, ops.reshape(kernel, (*window, 1, channels * multiplier)), bias)


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
