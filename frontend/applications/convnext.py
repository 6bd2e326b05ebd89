"""Convolutional networks after the ways of transformers (Liu et al., 2022)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from kerac import layers
from kerac.applications.imagenet_utils import decode_predictions
from kerac.applications.network import (
    STORAGE,
    Files,
    Options,
    Shape,
    nameless_pool,
    network,
)
from kerac.backend import image_data_format
from kerac.ir.errors import UnsupportedError
from kerac.layers.normalization import LayerScale
from kerac.models.functional import Functional
from kerac.models.sequential import Sequential

EPSILON = 1e-6
MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
VARIANCE = ((0.229 * 255) ** 2, (0.224 * 255) ** 2, (0.225 * 255) ** 2)
DIGESTS = {
    "convnext_tiny": (
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "convnext_small": (
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    "convnext_base": (
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    "convnext_large": (
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
    "convnext_xlarge": (
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
}
# Blocks of each stage and channels of the stages.
VARIANTS = {
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "xlarge": ((3, 3, 27, 3), (256, 512, 1024, 2048)),
}


def block(inputs: Any, channels: int, name: str) -> Any:
    """inputs plus a depthwise convolution of them and two dense layers."""
    x = layers.Conv2D(
        channels, 7, padding="same", groups=channels, name=f"{name}_depthwise_conv"
    )(inputs)
    x = normalized(x, f"{name}_layernorm")
    x = layers.Dense(4 * channels, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(channels, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(1e-6, channels, name=f"{name}_layer_scale")(x)
    return inputs + layers.Activation("linear", name=f"{name}_identity")(x)


def normalized(x: Any, name: str | None) -> Any:
    """Normalization of each place."""
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def stem(channels: int, name: str) -> Sequential:
    """Channels of patches of 4 x 4."""
    first = layers.Conv2D(channels, 4, strides=4, name=f"{name}_stem_conv")
    second = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_stem_layernorm")
    return Sequential([first, second], name=f"{name}_stem")


def halving(channels: int, name: str, number: int) -> Sequential:
    """Channels of patches of 2 x 2."""
    name = f"{name}_downsampling"
    first = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_layernorm_{number}")
    second = layers.Conv2D(channels, 2, strides=2, name=f"{name}_conv_{number}")
    return Sequential([first, second], name=f"{name}_block_{number}")


def body(
    x: Any, depths: Sequence[int], channels: Sequence[int], name: str, prepares: bool
) -> Any:
    """Four stages of blocks."""
    if prepares and x.shape[-1] == 3:
        name_of_first = f"{name}_prestem_normalization"
        x = layers.Normalization(mean=[*MEAN], variance=[*VARIANCE], name=name_of_first)(x)
    shrinking = [stem(channels[0], name)]
    shrinking += [halving(channels[i + 1], name, i) for i in range(3)]
    for stage, depth in enumerate(depths):
        x = shrinking[stage](x)
        for index in range(depth):
            x = block(x, channels[stage], f"{name}_stage_{stage}_block_{index}")
    return x


def top(x: Any, options: Options) -> Any:
    """A class from the mean of each channel."""
    name = f"{options.name}_head"
    x = layers.GlobalAveragePooling2D(name=f"{name}_gap")(x)
    x = normalized(x, f"{name}_layernorm")
    return layers.Dense(
        options.classes, activation=options.classifier_activation, name=f"{name}_dense"
    )(x)


def without_top(x: Any, options: Options) -> Any:
    """What the network returns without its top."""
    return normalized(nameless_pool(x, options), None)


def build(options: Options, variant: str, prepares: bool) -> Functional:
    """A network of a size."""
    if image_data_format() == "channels_first":
        raise UnsupportedError(
            f"{options.name}: image data format is 'channels_first', but it needs 'channels_last'"
        )
    depths, channels = VARIANTS[variant]
    digests = DIGESTS[f"convnext_{variant}"]
    files = Files(
        f"{STORAGE}convnext/", (f"{options.name}.h5", f"{options.name}_notop.h5"), digests
    )
    whole = partial(
        body, depths=depths, channels=channels, name=options.name, prepares=prepares
    )
    return network(options, whole, top, files, without_top=without_top)


def sized(variant: str) -> Any:
    """The function for a network of a size."""

    def make(
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: Any = None,
        input_shape: Shape | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = f"convnext_{variant}",
    ) -> Functional:
        options = Options(
            *(include_top, weights, input_tensor, input_shape, pooling, classes),
            *(classifier_activation, name),
        )
        return build(options, variant, include_preprocessing)

    make.__doc__ = f"convnext_{variant}; it scales pixels unless `include_preprocessing` is False."
    return make


ConvNeXtTiny = sized("tiny")
ConvNeXtSmall = sized("small")
ConvNeXtBase = sized("base")
ConvNeXtLarge = sized("large")
ConvNeXtXLarge = sized("xlarge")


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """x itself: the network scales pixels."""
    return x


__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "decode_predictions",
    "preprocess_input",
]
