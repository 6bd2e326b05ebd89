"""Residual networks (He et al., 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from kerac import layers
from kerac.applications.imagenet_utils import decode_predictions
from kerac.applications.imagenet_utils import preprocess_input as preprocess
from kerac.applications.network import (
    Files,
    Options,
    channel_axis,
    classifier,
    network,
    standard,
)
from kerac.models.functional import Functional

EPSILON = 1.001e-5
# Names of weights and their digests, with and without the top.
DIGESTS = {
    "resnet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet50v2": ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152v2": ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
}


def normalized(x: Any, name: str, activation: str | None = None) -> Any:
    """Batch normalization, and an activation of its own where its name is given."""
    x = layers.BatchNormalization(axis=channel_axis(3), epsilon=EPSILON, name=name)(x)
    return x if activation is None else layers.Activation("relu", name=activation)(x)


def files(weights: str) -> Files:
    """Where the weights of a residual network are."""
    return Files.usual("resnet", weights, DIGESTS[weights])


def stem(x: Any) -> Any:
    """The first convolution, of windows of 7 x 7."""
    x = layers.ZeroPadding2D(((3, 3), (3, 3)), name="conv1_pad")(x)
    return layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)


def first_pool(x: Any) -> Any:
    """The largest of windows of 3 x 3."""
    x = layers.ZeroPadding2D(((1, 1), (1, 1)), name="pool1_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def block(x: Any, filters: int, stride: int, is_first: bool, name: str) -> Any:
    """x plus three convolutions of it; the first block of a stack has a shortcut of its own."""
    shortcut = x
    if is_first:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = normalized(shortcut, f"{name}_0_bn")
    x = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x)
    x = normalized(x, f"{name}_1_bn", f"{name}_1_relu")
    x = layers.Conv2D(filters, 3, padding="SAME", name=f"{name}_2_conv")(x)
    x = normalized(x, f"{name}_2_bn", f"{name}_2_relu")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    x = normalized(x, f"{name}_3_bn")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def body(x: Any, depths: Sequence[int]) -> Any:
    """Four stacks of blocks."""
    x = first_pool(normalized(stem(x), "conv1_bn", "conv1_relu"))
    for stack, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stack and not index else 1
            name = f"conv{stack + 2}_block{index + 1}"
            x = block(x, 64 * 2**stack, stride, index == 0, name)
    return x


def build(options: Options, weights: str, depths: Sequence[int]) -> Functional:
    """A residual network with so many blocks in each stack."""
    return network(options, partial(body, depths=depths), classifier, files(weights))


def residual(name: str, *depths: int) -> Any:
    """The function for a network of this name."""
    return standard(name, partial(build, weights=name, depths=depths))


ResNet50 = residual("resnet50", 3, 4, 6, 3)
ResNet101 = residual("resnet101", 3, 4, 23, 3)
ResNet152 = residual("resnet152", 3, 8, 36, 3)
preprocess_input = partial(preprocess, mode="caffe")

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]
