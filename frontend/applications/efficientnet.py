"""Networks of one shape at eight sizes (Tan and Le, 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from kerac import layers
from kerac.applications.imagenet_utils import decode_predictions
from kerac.applications.network import (
    Files,
    Options,
    Sizes,
    channel_axis,
    correct_padding,
    divisible,
    network,
    standard,
)
from kerac.models.functional import Functional

STORAGE = "https://storage.googleapis.com/keras-applications/"
DIGESTS = {
    "b0": ("902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"),
    "b1": ("1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"),
    "b2": ("b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "b3": ("ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"),
    "b4": ("18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "b5": ("ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"),
    "b6": ("165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"),
    "b7": ("8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
}
# For each stack: kernel, number of blocks, filters before and after, expansion, stride.
STACKS = (
    (3, 1, 32, 16, 1, 1), (3, 2, 16, 24, 6, 2), (5, 2, 24, 40, 6, 2), (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1), (5, 4, 112, 192, 6, 2), (3, 1, 192, 320, 6, 1),
)  # fmt: skip
DEVIATIONS = (0.229, 0.224, 0.225)
# Blocks are dropped in training: the first never, the last with about this probability.
DROPPED = 0.2
START = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
DENSE_START = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0 / 3.0, "mode": "fan_out", "distribution": "uniform"},
}


@dataclass(frozen=True)
class Scale:
    """How much wider and deeper a network is than the smallest."""

    width: float
    depth: float
    size: int
    dropout: float

    def filters(self, count: int) -> int:
        """A number of filters, scaled."""
        return divisible(count * self.width)

    def repeats(self, count: int) -> int:
        """A number of blocks, scaled."""
        return math.ceil(self.depth * count)


def scaled(letters: str, scale: Scale) -> Any:
    """The function for a network of this size."""
    return standard(f"efficientnet{letters}", partial(build, letters=letters, scale=scale))


def build(options: Options, letters: str, scale: Scale) -> Functional:
    """A network of a size."""
    files = Files(STORAGE, (f"{options.name}.h5", f"{options.name}_notop.h5"), DIGESTS[letters])
    whole = partial(body, scale=scale, is_pretrained=options.is_pretrained)
    return network(options, whole, partial(top, scale=scale), files, Sizes(scale.size))


def body(x: Any, scale: Scale, is_pretrained: bool) -> Any:
    """Pixels brought to mean 0, a convolution, blocks and another convolution."""
    x = layers.Rescaling(1.0 / 255.0)(x)
    x = layers.Normalization(axis=channel_axis(3))(x)
    if is_pretrained:
        x = layers.Rescaling([1.0 / math.sqrt(deviation) for deviation in DEVIATIONS])(x)
    x = layers.ZeroPadding2D(correct_padding(x, 3), name="stem_conv_pad")(x)
    x = convolution(x, scale.filters(32), 3, "stem_conv", strides=2, padding="valid")
    x = normalized(x, "stem_bn", "stem_activation")
    total = sum(scale.repeats(row[1]) for row in STACKS)
    number = 0
    for stack, (kernel, depth, before, after, expansion, stride) in enumerate(STACKS, 1):
        before, after = scale.filters(before), scale.filters(after)
        for index in range(scale.repeats(depth)):
            name = f"block{stack}{chr(index + ord('a'))}_"
            first = index == 0
            sizes = (kernel, before if first else after, after, expansion, stride if first else 1)
            x = block(x, sizes, DROPPED * number / total, name)
            number += 1
    x = convolution(x, scale.filters(1280), 1, "top_conv")
    return normalized(x, "top_bn", "top_activation")


def block(inputs: Any, sizes: tuple[int, ...], dropped: float, name: str) -> Any:
    """More channels, a depthwise convolution, weights of channels, and fewer channels again."""
    kernel, before, after, expansion, stride = sizes
    x = inputs
    if expansion != 1:
        x = convolution(x, before * expansion, 1, f"{name}expand_conv")
        x = normalized(x, f"{name}expand_bn", f"{name}expand_activation")
    if stride == 2:
        x = layers.ZeroPadding2D(correct_padding(x, kernel), name=f"{name}dwconv_pad")(x)
    x = layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="valid" if stride == 2 else "same",
        use_bias=False,
        depthwise_initializer=START,
        name=f"{name}dwconv",
    )(x)
    x = normalized(x, f"{name}bn", f"{name}activation")
    x = weighted(x, before * expansion, max(1, int(before * 0.25)), name)
    x = convolution(x, after, 1, f"{name}project_conv")
    x = normalized(x, f"{name}project_bn")
    if stride == 1 and before == after:
        if dropped > 0:
            x = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
        x = layers.add([x, inputs], name=f"{name}add")
    return x


def weighted(x: Any, channels: int, few: int, name: str) -> Any:
    """Channels times weights that follow from their means."""
    shape = (channels, 1, 1) if channel_axis() == 1 else (1, 1, channels)
    weights = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    weights = layers.Reshape(shape, name=f"{name}se_reshape")(weights)
    for filters, activation, end in ((few, "swish", "reduce"), (channels, "sigmoid", "expand")):
        weights = layers.Conv2D(
            filters,
            1,
            padding="same",
            activation=activation,
            kernel_initializer=START,
            name=f"{name}se_{end}",
        )(weights)
    return layers.multiply([x, weights], name=f"{name}se_excite")


def convolution(x: Any, filters: int, kernel: int, name: str, **keywords: Any) -> Any:
    """A convolution without biases."""
    arguments = {"padding": "same", **keywords}
    return layers.Conv2D(
        filters, kernel, use_bias=False, kernel_initializer=START, name=name, **arguments
    )(x)


def normalized(x: Any, name: str, activation: str | None = None) -> Any:
    """Batch normalization, and an activation where its name is given."""
    x = layers.BatchNormalization(axis=channel_axis(3), name=name)(x)
    return x if activation is None else layers.Activation("swish", name=activation)(x)


def top(x: Any, options: Options, scale: Scale) -> Any:
    """A class from the mean of each channel."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(scale.dropout, name="top_dropout")(x)
    return layers.Dense(
        options.classes,
        activation=options.classifier_activation,
        kernel_initializer=DENSE_START,
        name="predictions",
    )(x)


EfficientNetB0 = scaled("b0", Scale(1.0, 1.0, 224, 0.2))
EfficientNetB1 = scaled("b1", Scale(1.0, 1.1, 240, 0.2))
EfficientNetB2 = scaled("b2", Scale(1.1, 1.2, 260, 0.3))
EfficientNetB3 = scaled("b3", Scale(1.2, 1.4, 300, 0.3))
EfficientNetB4 = scaled("b4", Scale(1.4, 1.8, 380, 0.4))
EfficientNetB5 = scaled("b5", Scale(1.6, 2.2, 456, 0.4))
EfficientNetB6 = scaled("b6", Scale(1.8, 2.6, 528, 0.5))
EfficientNetB7 = scaled("b7", Scale(2.0, 3.1, 600, 0.5))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """x itself: the network scales pixels."""
    return x


__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "decode_predictions",
    "preprocess_input",
]
