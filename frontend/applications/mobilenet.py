"""Networks of depthwise convolutions (Howard et al., 2017)."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import Any

from kerac import layers
from kerac.applications.imagenet_utils import decode_predictions
from kerac.applications.imagenet_utils import preprocess_input as preprocess
from kerac.applications.network import (
    STORAGE,
    Files,
    Options,
    Shape,
    Sizes,
    channel_axis,
    image_size,
    input_shape,
    nameless_pool,
    network,
)
from kerac.ir.errors import CompileError
from kerac.models.functional import Functional

TRAINED_SIZES = (128, 160, 192, 224)
TRAINED_WIDTHS = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
# Filters and stride of each block.
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1)),
    *((512, 1), (512, 1), (1024, 2), (1024, 1)),
)


def MobileNet(  # noqa: N802 - Keras calls it so
    input_shape: Shape | None = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
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
        *(classifier_activation, name or "mobilenet"),
    )
    sizes = Sizes(trained_size(options, TRAINED_SIZES) or 224)
    rows = size_of(options, sizes)
    if options.is_pretrained:
        if depth_multiplier != 1 or alpha not in TRAINED_WIDTHS:
            raise CompileError(
                f"MobileNet: alpha is {alpha} and depth_multiplier {depth_multiplier}, but weights "
                f"of ImageNet are there for {[*TRAINED_WIDTHS]} and 1"
            )
        rows = rows if rows in TRAINED_SIZES else 224
    if name is None:
        options = replace(options, name=f"mobilenet_{alpha:0.2f}_{rows}")
    start = f"mobilenet_{TRAINED_WIDTHS.get(alpha)}_{rows}_tf"
    files = Files(f"{STORAGE}mobilenet/", (f"{start}.h5", f"{start}_no_top.h5"))
    return network(
        options,
        partial(body, alpha=alpha, depth_multiplier=depth_multiplier),
        partial(top, dropout=dropout),
        files,
        sizes,
        without_top=nameless_pool,
    )


def trained_size(options: Options, known: tuple[int, ...]) -> int | None:
    """The rows of the given images, if they are square and a network was trained for them."""
    if options.input_shape is None:
        return None
    rows, columns = image_size(tuple(options.input_shape))
    return rows if rows == columns and rows in known else None


def size_of(options: Options, sizes: Sizes) -> int | None:
    """The rows of images."""
    return image_size(input_shape(options, sizes))[0]


def body(x: Any, alpha: float, depth_multiplier: int) -> Any:
    """A convolution, and blocks of depthwise and pointwise ones."""
    x = layers.Conv2D(
        int(32 * alpha), (3, 3), padding="same", use_bias=False, strides=(2, 2), name="conv1"
    )(x)
    x = normalized(x, "conv1")
    for number, (filters, stride) in enumerate(BLOCKS, 1):
        if stride == 2:
            x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
        x = layers.DepthwiseConv2D(
            (3, 3),
            padding="same" if stride == 1 else "valid",
            depth_multiplier=depth_multiplier,
            strides=stride,
            use_bias=False,
            name=f"conv_dw_{number}",
        )(x)
        x = normalized(x, f"conv_dw_{number}")
        x = layers.Conv2D(
            int(filters * alpha), (1, 1), padding="same", use_bias=False, name=f"conv_pw_{number}"
        )(x)
        x = normalized(x, f"conv_pw_{number}")
    return x


def normalized(x: Any, name: str) -> Any:
    """Batch normalization and an activation."""
    x = layers.BatchNormalization(axis=channel_axis(), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def top(x: Any, options: Options, dropout: float) -> Any:
    """A class from the mean of each channel, by a convolution."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(options.classes, (1, 1), padding="same", name="conv_preds")(x)
    x = layers.Reshape((options.classes,), name="reshape_2")(x)
    return layers.Activation(options.classifier_activation, name="predictions")(x)


preprocess_input = partial(preprocess, mode="tf")

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]
