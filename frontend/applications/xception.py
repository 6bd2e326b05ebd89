"""A network of separable convolutions (Chollet, 2016)."""

from __future__ import annotations

from functools import partial
from typing import Any

from kerac import layers
from kerac.applications.imagenet_utils import decode_predictions
from kerac.applications.imagenet_utils import preprocess_input as preprocess
from kerac.applications.network import (
    Files,
    Options,
    Sizes,
    channel_axis,
    classifier,
    nameless_pool,
    network,
    standard,
)
from kerac.models.functional import Functional

FILES = Files.usual(
    "xception",
    "xception",
    ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
)


def normalized(x: Any, name: str | None) -> Any:
    """Batch normalization."""
    return layers.BatchNormalization(axis=channel_axis(), name=name)(x)


def relu(x: Any, name: str) -> Any:
    """The activation of all layers."""
    return layers.Activation("relu", name=name)(x)


def plain(x: Any, filters: int, stride: int, name: str) -> Any:
    """A convolution with an activation."""
    x = layers.Conv2D(filters, (3, 3), strides=(stride, stride), use_bias=False, name=name)(x)
    return relu(normalized(x, f"{name}_bn"), f"{name}_act")


def separable(x: Any, filters: int, name: str) -> Any:
    """A separable convolution."""
    x = layers.SeparableConv2D(filters, (3, 3), padding="same", use_bias=False, name=name)(x)
    return normalized(x, f"{name}_bn")


def halved(x: Any, filters: tuple[int, int], number: int) -> Any:
    """Two separable convolutions and a pooling layer, beside a convolution of stride 2."""
    name = f"block{number}"
    residual = layers.Conv2D(
        filters[1], (1, 1), strides=(2, 2), padding="same", use_bias=False
    )(x)
    residual = normalized(residual, None)
    if number > 2:  # the block before ends with an activation
        x = relu(x, f"{name}_sepconv1_act")
    x = separable(x, filters[0], f"{name}_sepconv1")
    x = relu(x, f"{name}_sepconv2_act")
    x = separable(x, filters[1], f"{name}_sepconv2")
    x = layers.MaxPooling2D((3, 3), strides=(2, 2), padding="same", name=f"{name}_pool")(x)
    return layers.add([x, residual])


def kept(x: Any, number: int) -> Any:
    """x plus three separable convolutions of it."""
    residual = x
    for index in (1, 2, 3):
        name = f"block{number}_sepconv{index}"
        x = separable(relu(x, f"{name}_act"), 728, name)
    return layers.add([x, residual])


def body(x: Any) -> Any:
    """Fourteen blocks."""
    x = plain(x, 32, 2, "block1_conv1")
    x = plain(x, 64, 1, "block1_conv2")
    for number, filters in enumerate((128, 256, 728), 2):
        x = halved(x, (filters, filters), number)
    for number in range(5, 13):
        x = kept(x, number)
    x = halved(x, (728, 1024), 13)
    for index, filters in enumerate((1536, 2048), 1):
        name = f"block14_sepconv{index}"
        x = relu(separable(x, filters, name), f"{name}_act")
    return x


def build(options: Options) -> Functional:
    """The network."""
    return network(options, body, classifier, FILES, Sizes(299, 71), without_top=nameless_pool)


Xception = standard("xception", build)
preprocess_input = partial(preprocess, mode="tf")

__all__ = ["Xception", "decode_predictions", "preprocess_input"]
