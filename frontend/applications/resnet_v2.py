"""Residual networks that normalize before they convolve (He et al., 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from kerac import layers
from kerac.applications.imagenet_utils import decode_predictions
from kerac.applications.imagenet_utils import preprocess_input as preprocess
from kerac.applications.network import Options, classifier, network, standard
from kerac.applications.resnet import files, first_pool, normalized, stem
from kerac.models.functional import Functional


def block(x: Any, filters: int, stride: int, is_first: bool, name: str) -> Any:
    """x plus three convolutions of it; the last block of a stack halves the image."""
    start = normalized(x, f"{name}_preact_bn", f"{name}_preact_relu")
    shortcut = x
    if is_first:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(start)
    elif stride > 1:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x)
    x = layers.Conv2D(filters, 1, strides=1, use_bias=False, name=f"{name}_1_conv")(start)
    x = normalized(x, f"{name}_1_bn", f"{name}_1_relu")
    x = layers.ZeroPadding2D(((1, 1), (1, 1)), name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = normalized(x, f"{name}_2_bn", f"{name}_2_relu")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([shortcut, x])


def body(x: Any, depths: Sequence[int]) -> Any:
    """Four stacks of blocks."""
    x = first_pool(stem(x))
    for stack, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stack < 3 and index == depth - 1 else 1
            name = f"conv{stack + 2}_block{index + 1}"
            x = block(x, 64 * 2**stack, stride, index == 0, name)
    return normalized(x, "post_bn", "post_relu")


def build(options: Options, weights: str, depths: Sequence[int]) -> Functional:
    """A residual network with so many blocks in each stack."""
    return network(options, partial(body, depths=depths), classifier, files(weights))


def residual(name: str, *depths: int) -> Any:
    """The function for a network of this name."""
    return standard(name, partial(build, weights=name, depths=depths))


ResNet50V2 = residual("resnet50v2", 3, 4, 6, 3)
ResNet101V2 = residual("resnet101v2", 3, 4, 23, 3)
ResNet152V2 = residual("resnet152v2", 3, 8, 36, 3)
preprocess_input = partial(preprocess, mode="tf")

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]
