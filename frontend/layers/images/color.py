"""Images of other colours and brightness by chance."""

from __future__ import annotations

from typing import Any

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.layers.data_format import GivenDataFormat
from kerac.layers.images.base import (
    BYTES,
    Drawn,
    ImageLayer,
    Interval,
    clip,
    grayscale,
    interval,
    planes,
    rescaled,
)

SMALLEST = 2.0**-23  # what float32 tells from 1
EPSILON = 1e-7  # Keras's `backend.epsilon()`


class _Toned(ImageLayer):
    """Base: one number an image, drawn from `factor`; values lie in `value_range`."""

    factor: Any
    value_range: Interval = BYTES
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", *self.bounds())

    def bounds(self) -> Interval:
        """Between which numbers `factor` must lie."""
        return -1, 1

    def draw(self, images: Value) -> Drawn:
        return {"factor": self.between(images, self.factor, (1, 1, 1))}


class RandomBrightness(_Toned):
    """All values of an image larger or smaller by a part of the range."""

    def draw(self, images: Value) -> Drawn:
        extent = self.value_range[1] - self.value_range[0]
        return {"rgb_delta": ops.multiply(super().draw(images)["factor"], extent)}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        return clip(ops.add(images, drawn["rgb_delta"]), self.value_range)


class RandomContrast(_Toned):
    """Values further from or nearer to their mean, by 1 - lower to 1 + upper of `factor`."""

    def bounds(self) -> Interval:
        return 0, 1

    def draw(self, images: Value) -> Drawn:
        low, high = self.factor
        return {"contrast_factor": self.between(images, (1 - low, 1 + high), (1, 1, 1))}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        mean = ops.reduce_mean(images, (1, 2), keepdims=True)
        away = ops.multiply(ops.subtract(images, mean), drawn["contrast_factor"])
        return clip(ops.add(away, mean), self.value_range)


class RandomColorDegeneration(_Toned):
    """Colours nearer to gray, or further from it."""

    data_format: GivenDataFormat = None

    def transform(self, images: Value, drawn: Drawn) -> Value:
        away = ops.subtract(grayscale(images), images)
        return clip(ops.add(images, ops.multiply(drawn["factor"], away)), self.value_range)


class RandomSaturation(_Toned):
    """Colours purer or paler, by factor / (1 - factor)."""

    data_format: GivenDataFormat = None

    def draw(self, images: Value) -> Drawn:
        factor = super().draw(images)["factor"]
        rest = ops.add(ops.Negative()(factor), 1 + EPSILON)
        return {"factor": ops.divide(factor, rest)}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        hue, saturation, value = hsv_of(images)
        saturation = clip(ops.multiply(saturation, drawn["factor"]), self.value_range)
        return rgb_of(hue, saturation, value)


class RandomHue(_Toned):
    """Colours turned on the colour wheel by up to half of `factor`, either way."""

    data_format: GivenDataFormat = None

    def bounds(self) -> Interval:
        return 0, 1

    def draw(self, images: Value) -> Drawn:
        drawn = self.between(images, (0.0, 1.0), (1, 1, 1))
        sign = ops.select(ops.binary(ops.Greater(), drawn, 0.5), _number(-0.5), _number(0.5))
        return {"factor": ops.multiply(super().draw(images)["factor"], sign)}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        hue, saturation, value = hsv_of(rescaled(images, self.value_range, (0, 1)))
        hue = ops.add(hue, drawn["factor"])
        hue = ops.select(ops.binary(ops.Greater(), hue, 1.0), ops.subtract(hue, 1.0), hue)
        hue = ops.select(ops.binary(ops.Less(), hue, 0.0), ops.add(hue, 1.0), hue)
        colored = clip(rgb_of(hue, saturation, value), (0, 1))
        return rescaled(colored, (0, 1), self.value_range)


class RandomGrayscale(ImageLayer):
    """A share `factor` of the images has no colours."""

    factor: float = 0.5
    data_format: GivenDataFormat = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        interval(self, "factor", 0, 1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("seed")  # Keras does not write it down
        return config

    def draw(self, images: Value) -> Drawn:
        drawn = self.between(images, (0.0, 1.0), (1, 1, 1))
        return {"apply": ops.binary(ops.Less(), drawn, self.factor)}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        return ops.select(drawn["apply"], grayscale(images), images)


class RandomPosterization(ImageLayer):
    """Only the upper bits of 8 stay, as many as are drawn from `factor`."""

    factor: Any
    value_range: Interval = BYTES
    data_format: GivenDataFormat = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 1, 8)
        self.value_range = min(self.value_range), max(self.value_range)

    def draw(self, images: Value) -> Drawn:
        low, high = self.factor
        bits = self.between(images, (low, high), (1, 1, 1))
        # whole numbers below the upper one, or the only one
        return {"shift_factor": ops.add(ops.Negative()(ops.Floor()(bits)), 8.0)}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        values = ops.Floor()(rescaled(images, self.value_range, BYTES))
        steps = ops.constant([2.0**power for power in range(8)], "f32")
        step = ops.gather(steps, ops.cast(drawn["shift_factor"], "i32"))
        kept = ops.multiply(ops.Floor()(ops.divide(values, step)), step)
        return rescaled(kept, BYTES, self.value_range)


class RandomInvert(ImageLayer):
    """Some images as their negatives."""

    factor: Any = 1.0
    value_range: Interval = BYTES
    seed: int | None = None
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 0, 1)

    def draw(self, images: Value) -> Drawn:
        return {"apply": self.chosen(images, self.factor)}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        negative = ops.add(ops.Negative()(images), self.value_range[1])
        return ops.select(drawn["apply"], negative, images)


class Solarization(ImageLayer):
    """Values are larger by a number, and those above another one are inverted."""

    addition_factor: Any = 0.0
    threshold_factor: Any = 0.0
    value_range: Interval = BYTES
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("addition_factor", "threshold_factor"):
            setattr(self, name, interval(self, name, 0, 1, lower=0.0))

    def draw(self, images: Value) -> Drawn:
        # as in Keras only the upper bound is a part of 255
        drawn = {"additions": self.addition_factor, "thresholds": self.threshold_factor}
        return {
            name: self.between(images, (low, high * 255), (1, 1, 1))
            for name, (low, high) in drawn.items()
        }

    def transform(self, images: Value, drawn: Drawn) -> Value:
        moved = ops.add(rescaled(images, self.value_range, BYTES), drawn["additions"])
        values = clip(moved, BYTES)
        inverted = ops.add(ops.Negative()(values), 255.0)
        results = ops.select(ops.Less()(values, drawn["thresholds"]), values, inverted)
        return rescaled(results, BYTES, self.value_range)


class RandomColorJitter(ImageLayer):
    """Brightness, contrast, saturation and hue one after the other, those that are given."""

    value_range: Interval = BYTES
    brightness_factor: Any = None
    contrast_factor: Any = None
    saturation_factor: Any = None
    hue_factor: Any = None
    seed: int | None = None
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = {
            "brightness": RandomBrightness,
            "contrast": RandomContrast,
            "saturation": RandomSaturation,
            "hue": RandomHue,
        }
        self._steps: list[ImageLayer] = []
        for name, kind in kinds.items():
            factor = getattr(self, f"{name}_factor")
            if factor is not None:
                arguments = {"value_range": self.value_range, "seed": self.seed}
                try:
                    self._steps.append(kind(factor, name=name, **arguments))
                except CompileError as error:
                    raise error.with_details(f"in {type(self).__name__} {self.name!r}") from None

    def draw(self, images: Value) -> Drawn:
        return {str(step.name): step.draw(images) for step in self._steps}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        for step in self._steps:
            images = step.transform(images, drawn[str(step.name)])
        return images


def _number(x: float) -> Value:
    return ops.constant(x, "f32")


def hsv_of(images: Value) -> tuple[Value, Value, Value]:
    """Hue, saturation and value of f32[N, H, W, 3], f32[N, H, W, 1] each."""
    zero = _number(0.0)
    tiny = ops.binary(ops.Less(), ops.Absolute()(images), SMALLEST)
    red, green, blue = planes(ops.select(tiny, zero, images))
    value = ops.maximum(ops.maximum(red, green), blue)
    extent = ops.subtract(value, ops.minimum(ops.minimum(red, green), blue))
    has_value, has_extent = (ops.binary(ops.Greater(), x, 0.0) for x in (value, extent))
    ratio = ops.divide(extent, ops.select(has_value, value, _number(1.0)))
    saturation = ops.select(has_value, ratio, zero)
    sixth = ops.multiply(ops.select(has_extent, extent, _number(1.0)), 6.0)

    def part(x: Value, y: Value, start: float) -> Value:
        return ops.add(ops.divide(ops.subtract(x, y), sixth), start)

    hue = ops.select(
        ops.Equal()(value, green), part(blue, red, 2 / 6), part(red, green, 4 / 6)
    )
    hue = ops.select(ops.Equal()(value, red), part(green, blue, 0.0), hue)
    hue = ops.select(has_extent, hue, zero)
    hue = ops.select(ops.binary(ops.Less(), hue, 0.0), ops.add(hue, 1.0), hue)
    return hue, saturation, value


def rgb_of(hue: Value, saturation: Value, value: Value) -> Value:
    """f32[N, H, W, 3] from hue, saturation and value, f32[N, H, W, 1] each."""
    turn = ops.multiply(ops.subtract(hue, ops.Floor()(hue)), 6.0)

    def share(middle: float, sign: float) -> Value:
        away = ops.Absolute()(ops.subtract(turn, middle))
        return clip(ops.add(ops.multiply(away, sign), -1.0 if sign > 0 else 2.0), (0, 1))

    pale = ops.add(ops.Negative()(saturation), 1.0)
    shares = (share(3.0, 1.0), share(2.0, -1.0), share(4.0, -1.0))
    colors = [
        ops.multiply(value, ops.add(pale, ops.multiply(saturation, part))) for part in shares
    ]
    return ops.concatenate(colors, 3)
