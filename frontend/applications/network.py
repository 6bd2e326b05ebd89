"""What all networks here share: their arguments, the input, what follows the body, and weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kerac import activations, layers
from kerac.backend import image_data_format, is_keras_tensor
from kerac.ir.errors import CompileError, ShapeError
from kerac.models.functional import Functional
from kerac.tensor import KerasTensor
from kerac.utils.files import get_file
from kerac.utils.tensors import get_source_inputs

STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications/"
Shape = tuple[int | None, ...]
Body = Callable[[KerasTensor], Any]


@dataclass(frozen=True)
class Options:
    """The arguments that all networks take."""

    include_top: bool = True
    weights: str | os.PathLike[str] | None = "imagenet"
    input_tensor: Any = None
    input_shape: Shape | None = None
    pooling: str | None = None
    classes: int = 1000
    classifier_activation: Any = "softmax"
    name: str = ""

    @property
    def is_pretrained(self) -> bool:
        """Whether weights come from ImageNet."""
        return self.weights == "imagenet"


@dataclass(frozen=True)
class Files:
    """Weights to fetch: the address of a folder, names and digests with and without the top."""

    folder: str
    names: tuple[str, str]
    digests: tuple[str | None, str | None] = (None, None)

    @classmethod
    def usual(cls, folder: str, network: str, digests: tuple[str, str]) -> Files:
        """Those of most networks, whose names tell the order of dims."""
        start = f"{network}_weights_tf_dim_ordering_tf_kernels"
        return cls(f"{STORAGE}{folder}/", (f"{start}.h5", f"{start}_notop.h5"), digests)


@dataclass(frozen=True)
class Sizes:
    """Rows and columns of images: what a network is made for, and the least it takes."""

    usual: int = 224
    least: int = 32
    are_free: bool = False
    """Whether the top reads images of any size."""


def network(
    options: Options,
    body: Body,
    top: Callable[[Any, Options], Any],
    files: Files,
    sizes: Sizes = Sizes(),
    without_top: Callable[[Any, Options], Any] | None = None,
) -> Functional:
    """The model: `body`, then `top` or, if that is not included, `without_top`."""
    check(options)
    x = start(options, sizes)
    inputs = get_source_inputs(x) if options.input_tensor is not None else x
    x = body(x)
    x = (top if options.include_top else without_top or pooled)(x, options)
    if isinstance(inputs, list) and len(inputs) == 1:
        inputs = inputs[0]
    model = Functional(inputs, x, name=options.name)
    if options.weights is not None:
        model.load_weights(_path(options, files))
    return model


def check(options: Options) -> None:
    """Refuse arguments that do not fit each other."""
    thing, weights = options.name, options.weights
    if options.pooling not in (None, "avg", "max"):
        raise CompileError(f"{thing}: pooling is {options.pooling!r}, but 'avg' or 'max' is known")
    if weights is None:
        return
    if not options.is_pretrained and not Path(weights).exists():
        raise CompileError(
            f"{thing}: weights is {os.fspath(weights)!r}, but None, 'imagenet' or the path of a "
            "file is expected"
        )
    if options.is_pretrained and options.include_top and options.classes != 1000:
        raise CompileError(
            f"{thing}: classes is {options.classes}, but weights of ImageNet tell 1000 apart",
            remedy="Give include_top=False and add a layer of your own.",
        )
    known = [activations.get(name) for name in (None, "softmax")]
    if options.include_top and activations.get(options.classifier_activation) not in known:
        raise CompileError(
            f"{thing}: classifier_activation is {options.classifier_activation!r}, but weights "
            "are given for None or 'softmax'"
        )


def start(options: Options, sizes: Sizes) -> Any:
    """The symbolic image that the network reads."""
    shape = input_shape(options, sizes)
    if options.input_tensor is None:
        return layers.Input(shape)
    if not is_keras_tensor(options.input_tensor):
        raise CompileError(
            f"{options.name}: input_tensor is {options.input_tensor!r:.40}, but a symbolic tensor "
            "is expected",
            remedy="Give what kerac.Input returns.",
        )
    return options.input_tensor


def input_shape(options: Options, sizes: Sizes) -> Shape:
    """The shape of an image, as it is given or as it must be."""
    given, is_first = options.input_shape, image_data_format() == "channels_first"
    if given is not None and len(given) != 3:
        raise ShapeError(f"{options.name}: input_shape is {given}, but three lengths are expected")
    channels = 3 if given is None else given[0 if is_first else -1]
    if options.is_pretrained and channels != 3:
        raise ShapeError(
            f"{options.name}: input_shape is {given}, but weights of ImageNet need 3 channels"
        )
    usual: Shape = (sizes.usual, sizes.usual)
    usual = (channels, *usual) if is_first else (*usual, channels)
    is_fixed = options.include_top and not sizes.are_free
    if is_fixed and (given is None or options.is_pretrained):
        if given is not None and tuple(given) != usual:
            raise ShapeError(
                f"{options.name}: input_shape is {given}, but weights of ImageNet need {usual}",
                remedy="Give include_top=False.",
            )
        return usual
    if given is None:
        return (3, None, None) if is_first else (None, None, 3)
    if is_fixed and None in given:
        raise ShapeError(
            f"{options.name}: input_shape is {given}, but must be known where include_top is True"
        )
    if any(length is not None and length < sizes.least for length in image_size(tuple(given))):
        raise ShapeError(
            f"{options.name}: input_shape is {given}, but images must have {sizes.least} rows and "
            "columns at least"
        )
    return tuple(given)


def image_size(shape: Shape) -> Shape:
    """Rows and columns of an image, or of a batch of images."""
    return shape[-2:] if image_data_format() == "channels_first" else shape[-3:-1]


def channel_axis(last: int = -1) -> int:
    """Where channels are: 1, or what the network calls the last axis."""
    return 1 if image_data_format() == "channels_first" else last


def classifier(x: Any, options: Options) -> Any:
    """The mean of each channel, and a class from it."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return predictions(x, options)


def predictions(x: Any, options: Options) -> Any:
    """A class from features."""
    return layers.Dense(
        options.classes, activation=options.classifier_activation, name="predictions"
    )(x)


def pooled(
    x: Any, options: Options, names: tuple[str | None, str | None] = ("avg_pool", "max_pool")
) -> Any:
    """What a network without its top returns."""
    if options.pooling == "avg":
        return layers.GlobalAveragePooling2D(name=names[0])(x)
    if options.pooling == "max":
        return layers.GlobalMaxPooling2D(name=names[1])(x)
    return x


nameless_pool = partial(pooled, names=(None, None))
"""The same, the layers with the names that are next."""


def correct_padding(x: Any, kernel_size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The padding of a convolution of stride 2 that reads the same places for each size."""
    half = kernel_size // 2
    rows, columns = image_size(x.shape)
    if rows is None or columns is None:
        return (half - 1, half), (half - 1, half)
    return (half - 1 + rows % 2, half), (half - 1 + columns % 2, half)


def divisible(number: float, divisor: int = 8) -> int:
    """The nearest multiple of a divisor that is not smaller by more than a tenth."""
    found = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * number else found


def standard(name: str, build: Callable[[Options], Functional]) -> Callable[..., Functional]:
    """A function with the arguments that most networks of Keras have."""

    def make(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: Any = None,
        input_shape: Shape | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = name,
    ) -> Functional:
        return build(
            Options(
                *(include_top, weights, input_tensor, input_shape, pooling, classes),
                *(classifier_activation, name),
            )
        )

    make.__doc__ = (
        f"{name}, with weights of ImageNet, of a file or new ones where `weights` is None."
    )
    return make


def _path(options: Options, files: Files) -> str | os.PathLike[str]:
    if not options.is_pretrained:
        return options.weights or ""
    which = 0 if options.include_top else 1
    name = files.names[which]
    return get_file(
        name, files.folder + name, cache_subdir="models", file_hash=files.digests[which]
    )
