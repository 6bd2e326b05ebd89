"""Networks of inverted residuals (Sandler et al., 2018)."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import Any

from kerac import layers
from kerac.applications.imagenet_utils import decode_predictions
from kerac.applications.imagenet_utils import preprocess_input as preprocess
from kerac.applications.mobilenet import size_of, trained_size
from kerac.applications.network import (
    STORAGE,
    Files,
    Options,
    Shape,
    Sizes,
    channel_axis,
    correct_padding,
    divisible,
    nameless_pool,
    network,
    predictions,
)
from kerac.ir.errors import CompileError
from kerac.models.functional import Functional

TRAINED_SIZES = (96, 128, 160, 192, 224)
TRAINED_WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
# Filters, stride of the first and number of blocks.
STACKS = (
    *((16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1)),
)


def MobileNetV2(  # noqa: N802 - Keras calls it so
    input_shape: Shape | None = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Functional:
    """The network, with `alpha` times as many filters in each layer."""
    options = Options(
        *(include_top, weights, input_tensor, input_shape, pooling, classes),
        *(classifier_activation, name or "mobilenetv2"),
    )
    given = options
    if input_shape is None and input_tensor is not None:
        given = replace(options, input_shape=tuple(input_tensor.shape[1:]))
    sizes = Sizes(trained_size(given, TRAINED_SIZES) or 224)
    rows = size_of(options, sizes)
    if options.is_pretrained:
        if alpha not in TRAINED_WIDTHS:
            raise CompileError(
                f"MobileNetV2: alpha is {alpha}, but weights of ImageNet are there for "
                f"{[*TRAINED_WIDTHS]}"
            )
        rows = rows if rows in TRAINED_SIZES else 224
    if name is None:
        options = replace(options, name=f"mobilenetv2_{alpha:0.2f}_{rows}")
    start = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{rows}"
    files = Files(f"{STORAGE}mobilenet_v2/", (f"{start}.h5", f"{start}_no_top.h5"))
    whole = partial(body, alpha=alpha)
    return network(options, whole, top, files, sizes, without_top=nameless_pool)


def body(x: Any, alpha: float) -> Any:
    """A convolution, blocks and another convolution."""
    first = divisible(32 * alpha)
    x = layers.Conv2D(
        first, 3, strides=(2, 2), padding="same", use_bias=False, name="Conv1"
    )(x)
    x = normalized(x, "bn_Conv1", "Conv1_relu")
    number = 0
    for filters, stride, depth in STACKS:
        for index in range(depth):
            x = block(x, divisible(int(filters * alpha)), 1 if index else stride, number)
            number += 1
    last = divisible(1280 * alpha) if alpha > 1 else 1280
    x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    return normalized(x, "Conv_1_bn", "out_relu")


def block(x: Any, filters: int, stride: int, number: int) -> Any:
    """Six times as many channels, a depthwise convolution, and few channels again."""
    inputs, channels = x, x.shape[channel_axis()]
    name = f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = layers.Conv2D(
            6 * channels, 1, padding="same", use_bias=False, name=f"{name}expand"
        )(x)
        x = normalized(x, f"{name}expand_BN", f"{name}expand_relu")
    if stride == 2:
        x = layers.ZeroPadding2D(correct_padding(x, 3), name=f"{name}pad")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        use_bias=False,
        padding="same" if stride == 1 else "valid",
        name=f"{name}depthwise",
    )(x)
    x = normalized(x, f"{name}depthwise_BN", f"{name}depthwise_relu")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = normalized(x, f"{name}project_BN")
    if channels == filters and stride == 1:
        return layers.Add(name=f"{name}add")([inputs, x])
    return x


def normalized(x: Any, name: str, activation: str | None = None) -> Any:
    """Batch normalization, and an activation where its name is given."""
    x = layers.BatchNormalization(
        axis=channel_axis(), epsilon=1e-3, momentum=0.999, name=name
    )(x)
    return x if activation is None else layers.ReLU(6.0, name=activation)(x)


def top(x: Any, options: Options) -> Any:
    """A class from the mean of each channel."""
    return predictions(layers.GlobalAveragePooling2D()(x), options)


preprocess_input = partial(preprocess, mode="tf")

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
