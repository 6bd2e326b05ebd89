"""Networks whose layers read all layers before them (Huang et al., 2016)."""

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
from kerac.applications.resnet import normalized
from kerac.models.functional import Functional

GROWTH = 32  # channels that each block adds
DIGESTS = {
    "densenet121": ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201": ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
}


def block(x: Any, name: str) -> Any:
    """x and new channels that are convolved from it."""
    new = normalized(x, f"{name}_0_bn", f"{name}_0_relu")
    new = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = normalized(new, f"{name}_1_bn", f"{name}_1_relu")
    new = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(axis=channel_axis(3), name=f"{name}_concat")([x, new])


def transition(x: Any, name: str) -> Any:
    """Half the channels, and an image of half the size."""
    x = normalized(x, f"{name}_bn", f"{name}_relu")
    half = x.shape[channel_axis()] // 2
    x = layers.Conv2D(half, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def body(x: Any, depths: Sequence[int]) -> Any:
    """Four stacks of blocks, with transitions between them."""
    x = layers.ZeroPadding2D(((3, 3), (3, 3)))(x)
    x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = normalized(x, "conv1_bn", "conv1_relu")
    x = layers.ZeroPadding2D(((1, 1), (1, 1)))(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stack, depth in enumerate(depths, 2):
        for index in range(1, depth + 1):
            x = block(x, f"conv{stack}_block{index}")
        if stack < 5:
            x = transition(x, f"pool{stack}")
    return normalized(x, "bn", "relu")


def build(options: Options, weights: str, depths: Sequence[int]) -> Functional:
    """A network with so many blocks in each stack."""
    files = Files.usual("densenet", weights, DIGESTS[weights])
    return network(options, partial(body, depths=depths), classifier, files)


def dense(name: str, *depths: int) -> Any:
    """The function for a network of this name."""
    return standard(name, partial(build, weights=name, depths=depths))


DenseNet121 = dense("densenet121", 6, 12, 24, 16)
DenseNet169 = dense("densenet169", 6, 12, 32, 32)
DenseNet201 = dense("densenet201", 6, 12, 48, 32)
preprocess_input = partial(preprocess, mode="torch")

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
