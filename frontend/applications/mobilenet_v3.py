"""Networks of inverted residuals found by search (Howard et al., 2019)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kerac import layers
from kerac.applications.imagenet_utils import decode_predictions
from kerac.applications.network import (
    STORAGE,
    Files,
    Options,
    Shape,
    Sizes,
    channel_axis,
    correct_padding,
    divisible,
    network,
)
from kerac.ir.errors import CompileError
from kerac.models.functional import Functional

DIGESTS = {
    "large_224_0.75_float": (
        "765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e",
    ),
    "large_224_1.0_float": (
        "59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389",
    ),
    "large_minimalistic_224_1.0_float": (
        "675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973",
    ),
    "small_224_0.75_float": (
        "cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819",
    ),
    "small_224_1.0_float": (
        "8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "small_minimalistic_224_1.0_float": (
        "99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4",
    ),
}  # fmt: skip
# For each block: expansion, filters, kernel (None: that of the network), stride, whether channels
# are weighted, and whether the activation is that of the network.
Block = tuple[float, int, int | None, int, bool, bool]
SMALL: tuple[Block, ...] = (
    (1, 16, 3, 2, True, False), (72.0 / 16, 24, 3, 2, False, False),
    (88.0 / 24, 24, 3, 1, False, False), (4, 40, None, 2, True, True),
    (6, 40, None, 1, True, True), (6, 40, None, 1, True, True), (3, 48, None, 1, True, True),
    (3, 48, None, 1, True, True), (6, 96, None, 2, True, True), (6, 96, None, 1, True, True),
    (6, 96, None, 1, True, True),
)  # fmt: skip
LARGE: tuple[Block, ...] = (
    (1, 16, 3, 1, False, False), (4, 24, 3, 2, False, False), (3, 24, 3, 1, False, False),
    (3, 40, None, 2, True, False), (3, 40, None, 1, True, False), (3, 40, None, 1, True, False),
    (6, 80, 3, 2, False, True), (2.5, 80, 3, 1, False, True), (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True), (6, 112, 3, 1, True, True), (6, 112, 3, 1, True, True),
    (6, 160, None, 2, True, True), (6, 160, None, 1, True, True), (6, 160, None, 1, True, True),
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """What the networks differ in."""

    blocks: tuple[Block, ...]
    last: int
    alpha: float
    minimalistic: bool
    dropout_rate: float
    include_preprocessing: bool

    @property
    def activation(self) -> Callable[[Any], Any]:
        """The activation of most layers."""
        return _relu if self.minimalistic else _hard_swish

    @property
    def kernel(self) -> int:
        """The windows of most depthwise convolutions."""
        return 3 if self.minimalistic else 5


def searched(kind: str, name: str, blocks: tuple[Block, ...], last: int) -> Any:
    """The function for a network of this name."""

    def make(
        input_shape: Shape | None = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: Any = None,
        classes: int = 1000,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str = name,
    ) -> Functional:
        options = Options(
            *(include_top, weights, input_tensor, input_shape, pooling, classes),
            *(classifier_activation, name),
        )
        variant = Variant(blocks, last, alpha, minimalistic, dropout_rate, include_preprocessing)
        return build(options, variant, kind)

    make.__doc__ = f"{name}, with `alpha` times as many filters in each layer."
    return make


def build(options: Options, variant: Variant, kind: str) -> Functional:
    """A network for images of any size, unless one is given."""
    model = f"{kind}{'_minimalistic' if variant.minimalistic else ''}_224_{variant.alpha}_float"
    if options.is_pretrained and model not in DIGESTS:
        raise CompileError(
            f"{options.name}: alpha is {variant.alpha}, but weights of ImageNet are there for 0.75 "
            "and 1.0, or 1.0 alone where it is minimalistic"
        )
    start = f"weights_mobilenet_v3_{model}"
    names = (f"{start}.h5", f"{start}_no_top_v2.h5")
    files = Files(f"{STORAGE}mobilenet_v3/", names, DIGESTS.get(model, (None, None)))
    whole, last = partial(body, variant=variant), partial(top, variant=variant)
    return network(options, whole, last, files, Sizes(are_free=True))


def body(x: Any, variant: Variant) -> Any:
    """A convolution, blocks and another convolution."""
    if variant.include_preprocessing:
        x = layers.Rescaling(1.0 / 127.5, -1.0)(x)
    x = layers.Conv2D(
        16, 3, strides=(2, 2), padding="same", use_bias=False, name="conv"
    )(x)
    x = variant.activation(normalized(x, "conv_bn"))
    for number, row in enumerate(variant.blocks):
        x = block(x, row, variant, number)
    last = divisible(x.shape[channel_axis()] * 6)
    x = layers.Conv2D(last, 1, padding="same", use_bias=False, name="conv_1")(x)
    return variant.activation(normalized(x, "conv_1_bn"))


def block(x: Any, row: Block, variant: Variant, number: int) -> Any:
    """More channels, a depthwise convolution, weights of channels, and fewer channels again."""
    expansion, filters, kernel, stride, is_weighted, is_usual = row
    activation = variant.activation if is_usual else _relu
    kernel, filters = kernel or variant.kernel, divisible(filters * variant.alpha)
    inputs, channels = x, x.shape[channel_axis()]
    name = f"expanded_conv_{number}_" if number else "expanded_conv_"
    wide = divisible(channels * expansion)
    if number:
        x = layers.Conv2D(wide, 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        x = activation(normalized(x, f"{name}expand_bn"))
    if stride == 2:
        x = layers.ZeroPadding2D(correct_padding(x, kernel), name=f"{name}depthwise_pad")(x)
    x = layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        name=f"{name}depthwise",
    )(x)
    x = activation(normalized(x, f"{name}depthwise_bn"))
    if is_weighted and not variant.minimalistic:
        x = weighted(x, wide, name)
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = normalized(x, f"{name}project_bn")
    if stride == 1 and channels == filters:
        return layers.Add(name=f"{name}add")([inputs, x])
    return x


def weighted(inputs: Any, filters: int, name: str) -> Any:
    """Channels times weights that follow from their means."""
    name = f"{name}squeeze_excite_"
    x = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}avg_pool")(inputs)
    x = layers.Conv2D(divisible(filters * 0.25), 1, padding="same", name=f"{name}conv")(x)
    x = layers.ReLU(name=f"{name}relu")(x)
    x = layers.Conv2D(filters, 1, padding="same", name=f"{name}conv_1")(x)
    x = layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{name}mul")([inputs, x])


def normalized(x: Any, name: str) -> Any:
    """Batch normalization."""
    return layers.BatchNormalization(
        axis=channel_axis(), epsilon=1e-3, momentum=0.999, name=name
    )(x)


def top(x: Any, options: Options, variant: Variant) -> Any:
    """A class from the mean of each channel, by convolutions."""
    last = divisible(variant.last * variant.alpha) if variant.alpha > 1 else variant.last
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(last, 1, padding="same", name="conv_2")(x)
    x = variant.activation(x)
    if variant.dropout_rate > 0:
        x = layers.Dropout(variant.dropout_rate)(x)
    x = layers.Conv2D(options.classes, 1, padding="same", name="logits")(x)
    x = layers.Flatten()(x)
    return layers.Activation(options.classifier_activation, name="predictions")(x)


def _relu(x: Any) -> Any:
    return layers.ReLU()(x)


def _hard_swish(x: Any) -> Any:
    return layers.Activation("hard_swish")(x)


MobileNetV3Small = searched("small", "MobileNetV3Small", SMALL, 1024)
MobileNetV3Large = searched("large", "MobileNetV3Large", LARGE, 1280)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """x itself: the network scales pixels."""
    return x


__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]
