"""What layers that change images have in common: one image or a batch, channels first or last.

A layer states what it draws (`draw`: random numbers, one row an image) and what it does with them
(`transform`). Outside training it passes images on.
"""

from __future__ import annotations

from typing import Any, ClassVar

from kerac.ir import Value, ops
from kerac.ir.dims import DimLike
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from kerac.layers.base import Layer
from kerac.layers.calling import trains_on_arrays
from kerac.layers.data_format import GivenDataFormat, from_last, to_last
from kerac.layers.random_numbers import is_random, uniform
from kerac.saving.config import SerializedObject

Interval = tuple[float, float]
BYTES: Interval = (0.0, 255.0)
"""The range of values of usual images."""

Drawn = dict[str, Any]


class ImageLayer(Layer, keyword_only=True, registered=False):
    """Base: inputs t[N, H, W, C], or one image t[H, W, C]; `data_format` may put channels first.

    A dictionary of `images` and `labels` goes through, too.
    """

    rarely_written: ClassVar[frozenset[str]] = frozenset(
        {"activity_regularizer", "bounding_box_format"}
    )
    always: ClassVar[bool] = False
    """Whether inference changes images as well."""

    data_format: GivenDataFormat = None
    bounding_box_format: str | None = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if isinstance(arguments.get("seed"), SerializedObject):
            arguments["seed"] = arguments["seed"].config.get("seed")
        return arguments

    def __post_init__(self) -> None:
        self.data_format = self.data_format or "channels_last"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **trains_on_arrays(args, kwargs))

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, dict):
            images = self._batch(inputs)
            return self._like(inputs, self._changed(images, self._drawn(images)))
        unknown = sorted(inputs.keys() - {"images", "labels"})
        if unknown or "images" not in inputs:
            raise UnsupportedError(
                f"its input holds {', '.join(map(repr, sorted(inputs)))}, "
                "but 'images' and 'labels' are what it changes"
            )
        images = self._batch(inputs["images"])
        drawn = self._drawn(images)
        outputs = {"images": self._like(inputs["images"], self._changed(images, drawn))}
        if "labels" in inputs:
            labels = inputs["labels"]
            outputs["labels"] = labels if drawn is None else self.transform_labels(labels, drawn)
        return outputs

    def _drawn(self, images: Value) -> Drawn | None:
        return self.draw(images) if is_random() else None

    def _changed(self, images: Value, drawn: Drawn | None) -> Value:
        return self.transform(images, drawn or {}) if drawn is not None or self.always else images

    def _batch(self, inputs: Value) -> Value:
        """f32[N, H, W, C]."""
        if inputs.ndim not in (3, 4):
            raise ShapeError(f"the input must be images of 3 or 4 axes, but is {inputs.type}")
        single = inputs.ndim == 3
        batch = ops.reshape(inputs, (1, *inputs.shape)) if single else inputs
        return to_last(ops.cast(batch, "f32"), self.data_format)

    def _like(self, inputs: Value, images: Value) -> Value:
        """Images with axes as the input has them."""
        outputs = from_last(self.as_result(images), self.data_format)
        return ops.reshape(outputs, outputs.shape[1:]) if inputs.ndim == 3 else outputs

    def draw(self, images: Value) -> Drawn:
        """Random numbers by name; their first axis is the batch."""
        return {}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        """images: f32[N, H, W, C], changed as the numbers say."""
        return images

    def transform_labels(self, labels: Value, drawn: Drawn) -> Value:
        """Labels after the same change."""
        return labels

    def between(self, images: Value, interval: Interval, shape: tuple[DimLike, ...]) -> Value:
        """Uniform random numbers f32[N, *shape] of an interval."""
        low, high = interval
        drawn = uniform((images.shape[0], *shape), getattr(self, "seed", None))
        return ops.add(ops.multiply(drawn, high - low), low)

    def chosen(self, images: Value, interval: Interval) -> Value:
        """bool[N, 1, 1, 1]: each image with a probability that is itself drawn from an interval."""
        share = self.between(images, interval, (1, 1, 1))
        return ops.Less()(self.between(images, (0.0, 1.0), (1, 1, 1)), share)


def interval(
    layer: Layer, name: str, least: float, most: float, *, lower: float | None = None
) -> Interval:
    """The argument `name` as two numbers; one number f stands for `lower * f` to f.

    Without `lower` that is from -f on, but not below `least`.
    """
    given = getattr(layer, name)
    single = isinstance(given, int | float) and not isinstance(given, bool)
    pair = (given, given) if single else given
    fits = isinstance(pair, tuple | list) and len(pair) == 2
    fits = fits and all(isinstance(x, int | float) and least <= x <= most for x in pair)
    if not fits:
        raise CompileError(
            f"{type(layer).__name__} {layer.name!r}: {name} is {given!r:.60}, but must be "
            f"a number or two from {least:g} to {most:g}"
        )
    if not single:
        return min(pair), max(pair)
    size = abs(given)
    return (max(-size, least) if lower is None else lower * size), size


def rescaled(images: Value, source: Interval, target: Interval) -> Value:
    """Values of one range brought to another."""
    if tuple(source) == tuple(target):
        return images
    unit = ops.divide(ops.subtract(images, source[0]), source[1] - source[0])
    return ops.add(ops.multiply(unit, target[1] - target[0]), target[0])


def clip(images: Value, bounds: Interval) -> Value:
    """Values outside become the nearest bound."""
    return ops.minimum(ops.maximum(images, bounds[0]), bounds[1])


def planes(images: Value) -> list[Value]:
    """Red, green and blue, f32[N, H, W, 1] each."""
    if images.shape[-1] != 3:
        raise ShapeError(f"images must have 3 channels, but have {images.shape[-1]}")
    return [ops.slice_axis(images, 3, channel, channel + 1) for channel in range(3)]


def grayscale(images: Value) -> Value:
    """f32[N, H, W, 1]: how bright, as the eye sees it; images of one channel stay."""
    if images.shape[-1] == 1:
        return images
    red, green, blue = planes(images)
    bright = ops.add(ops.multiply(red, 0.2989), ops.multiply(green, 0.5870))
    return ops.add(bright, ops.multiply(blue, 0.1140))
