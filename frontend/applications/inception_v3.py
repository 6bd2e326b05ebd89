"""A network of branches with windows of several sizes (Szegedy et al., 2015)."""

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
    "inception_v3",
    "inception_v3",
    ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
)
# A convolution: filters, rows and columns of its windows.
Step = tuple[int, int, int]
Branch = tuple[Step, ...]


def convolution(
    x: Any, filters: int, rows: int, columns: int, padding: str = "same", stride: int = 1
) -> Any:
    """A convolution, batch normalization and an activation."""
    x = layers.Conv2D(
        filters, (rows, columns), strides=(stride, stride), padding=padding, use_bias=False
    )(x)
    x = layers.BatchNormalization(axis=channel_axis(3), scale=False)(x)
    return layers.Activation("relu")(x)


def branch(x: Any, steps: Branch) -> Any:
    """Convolutions one after the other."""
    for step in steps:
        x = convolution(x, *step)
    return x


def halving(x: Any, steps: Branch) -> Any:
    """Convolutions, the last of which halves the image."""
    return convolution(branch(x, steps[:-1]), *steps[-1], padding="valid", stride=2)


def pool_branch(x: Any, filters: int) -> Any:
    """Means of windows, and a convolution of them."""
    x = layers.AveragePooling2D((3, 3), strides=(1, 1), padding="same")(x)
    return convolution(x, filters, 1, 1)


def joined(branches: list[Any], name: str | None = None) -> Any:
    """Branches side by side."""
    return layers.concatenate(branches, axis=channel_axis(3), name=name)


def mixed(x: Any, branches: tuple[Branch, ...], filters: int, number: int) -> Any:
    """Branches of one size, and one that pools."""
    found = [branch(x, steps) for steps in branches]
    return joined([*found, pool_branch(x, filters)], f"mixed{number}")


def reduced(x: Any, branches: tuple[Branch, ...], number: int) -> Any:
    """Branches that halve the image, and one that pools."""
    found = [halving(x, steps) for steps in branches]
    return joined([*found, layers.MaxPooling2D((3, 3), strides=(2, 2))(x)], f"mixed{number}")


def split(x: Any, number: int) -> Any:
    """Branches that end in two convolutions side by side."""
    first = convolution(x, 320, 1, 1)
    second = convolution(x, 384, 1, 1)
    second = joined(
        [convolution(second, 384, 1, 3), convolution(second, 384, 3, 1)], f"mixed9_{number}"
    )
    third = branch(x, ((448, 1, 1), (384, 3, 3)))
    third = joined([convolution(third, 384, 1, 3), convolution(third, 384, 3, 1)])
    return joined([first, second, third, pool_branch(x, 192)], f"mixed{9 + number}")


def wide(filters: int) -> tuple[Branch, ...]:
    """Branches of windows of 1 x 7 and 7 x 1."""
    few = filters
    return (
        ((192, 1, 1),),
        ((few, 1, 1), (few, 1, 7), (192, 7, 1)),
        ((few, 1, 1), (few, 7, 1), (few, 1, 7), (few, 7, 1), (192, 1, 7)),
    )


def body(x: Any) -> Any:
    """Convolutions, and eleven groups of branches."""
    x = convolution(x, 32, 3, 3, "valid", 2)
    x = convolution(x, 32, 3, 3, "valid")
    x = convolution(x, 64, 3, 3)
    x = layers.MaxPooling2D((3, 3), strides=(2, 2))(x)
    x = convolution(x, 80, 1, 1, "valid")
    x = convolution(x, 192, 3, 3, "valid")
    x = layers.MaxPooling2D((3, 3), strides=(2, 2))(x)
    tall: Branch = ((64, 1, 1), (96, 3, 3), (96, 3, 3))
    for number, filters in enumerate((32, 64, 64)):
        x = mixed(x, (((64, 1, 1),), ((48, 1, 1), (64, 5, 5)), tall), filters, number)
    x = reduced(x, (((384, 3, 3),), tall), 3)
    for number, filters in enumerate((128, 160, 160, 192), 4):
        x = mixed(x, wide(filters), 192, number)
    ends: tuple[Branch, ...] = (
        ((192, 1, 1), (320, 3, 3)),
        ((192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3)),
    )
    x = reduced(x, ends, 8)
    return split(split(x, 0), 1)


def build(options: Options) -> Functional:
    """The network."""
    return network(options, body, classifier, FILES, Sizes(299, 75), without_top=nameless_pool)


InceptionV3 = standard("inception_v3", build)
preprocess_input = partial(preprocess, mode="tf")

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]
