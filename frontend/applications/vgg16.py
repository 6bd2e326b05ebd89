"""Networks of 3 x 3 convolutions (Simonyan and Zisserman, 2014)."""

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
    nameless_pool,
    network,
    predictions,
    standard,
)
from kerac.models.functional import Functional

FILTERS = (64, 128, 256, 512, 512)
DIGESTS = {
    "vgg16": ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
}


def body(x: Any, depths: Sequence[int]) -> Any:
    """Five blocks of convolutions, each ended by a pooling layer."""
    for block, (filters, depth) in enumerate(zip(FILTERS, depths, strict=True), 1):
        for index in range(1, depth + 1):
            name = f"block{block}_conv{index}"
            x = layers.Conv2D(filters, (3, 3), activation="relu", padding="same", name=name)(x)
        x = layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"block{block}_pool")(x)
    return x


def top(x: Any, options: Options) -> Any:
    """Three dense layers."""
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
    return predictions(x, options)


def build(options: Options, weights: str, depths: Sequence[int]) -> Functional:
    """A network with so many convolutions in each block."""
    files = Files.usual(weights, weights, DIGESTS[weights])
    return network(options, partial(body, depths=depths), top, files, without_top=nameless_pool)


def plain(name: str, *depths: int) -> Any:
    """The function for a network of this name."""
    return standard(name, partial(build, weights=name, depths=depths))


VGG16 = plain("vgg16", 2, 2, 3, 3, 3)
preprocess_input = partial(preprocess, mode="caffe")

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
