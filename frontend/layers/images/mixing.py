"""Images mixed with others of the batch, and several changes chosen by chance."""

from __future__ import annotations

import random
from typing import Any
from zlib import crc32

import numpy as np

from kerac.ir import Value, ops
from kerac.layers.data_format import GivenDataFormat
from kerac.layers.images.base import BYTES, Drawn, ImageLayer, Interval, clip, interval
from kerac.layers.images.color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    Solarization,
)
from kerac.layers.images.filters import (
    AutoContrast,
    Equalization,
    RandomSharpness,
    inside_box,
    random_box,
)
from kerac.layers.images.geometric import (
    Interpolation,
    RandomRotation,
    RandomShear,
    RandomTranslation,
)
from kerac.layers.images.sampling import length
from kerac.layers.random_numbers import normal, uniform

ATTEMPTS = 8  # of which each fails with a probability of less than 0.05


def permutation(images: Value, seed: int | None) -> Value:
    """i32[N]: the numbers of the images in random order; their ranks among random numbers."""
    batch = images.shape[0]
    drawn = uniform((batch,), seed)
    row, column = ops.reshape(drawn, (1, batch)), ops.reshape(drawn, (batch, 1))
    earlier = ops.Less()(ops.iota((1, batch), 1), ops.iota((batch, 1), 0))
    equal = ops.LogicalAnd()(ops.Equal()(row, column), earlier)
    before = ops.LogicalOr()(ops.Less()(row, column), equal)
    return ops.reduce_sum(ops.cast(before, "i32"), (1,))


def logarithm_of_gamma(shape: tuple[Any, ...], alpha: Value, seed: int | None) -> Value:
    """Logarithms of numbers with a gamma distribution of shape `alpha`.

    By rejection (Marsaglia and Tsang, 2000) for alpha + 1, times u^(1 / alpha); of a fixed number
    of attempts the first that is accepted counts.
    """
    d = ops.add(alpha, 1 - 1 / 3)
    c = ops.divide(ops.constant(1 / 3, "f32"), ops.Sqrt()(d))
    found: Value | None = None
    for _ in range(ATTEMPTS):
        x = normal(shape, seed)
        root = ops.add(ops.multiply(x, c), 1.0)
        v = ops.multiply(root, ops.multiply(root, root))
        logarithm = ops.Log()(ops.maximum(v, 1e-30))
        half = ops.multiply(ops.multiply(x, x), 0.5)
        bound = ops.add(half, ops.multiply(d, ops.add(ops.subtract(logarithm, v), 1.0)))
        chance = ops.Log()(ops.maximum(uniform(shape, seed), 1e-30))
        accepted = ops.LogicalAnd()(
            ops.binary(ops.Greater(), v, 0.0), ops.Less()(chance, bound)
        )
        value = ops.add(logarithm, ops.Log()(d))
        # the last attempt comes first here; all are equally likely to be the one that is kept
        found = value if found is None else ops.select(accepted, value, found)
    assert found is not None  # noqa: S101
    boost = ops.divide(ops.Log()(ops.maximum(uniform(shape, seed), 1e-30)), alpha)
    return ops.add(found, boost)


def beta(shape: tuple[Any, ...], alpha: Value, seed: int | None) -> Value:
    """Numbers between 0 and 1 with a beta distribution of equal shapes `alpha`."""
    one, other = (logarithm_of_gamma(shape, alpha, seed) for _ in range(2))
    return ops.Sigmoid()(ops.subtract(one, other))


def mixed_labels(labels: Value, weight: Value, order: Value) -> Value:
    """Labels t[N, ...] mixed with those of others; `weight`, f32[N, 1, 1, 1], is their own."""
    own = ops.cast(labels, "f32")
    share = ops.reshape(weight, (weight.shape[0], *(1 for _ in own.shape[1:])))
    rest = ops.add(ops.Negative()(share), 1.0)
    return ops.add(ops.multiply(own, share), ops.multiply(ops.gather(own, order), rest))


class MixUp(ImageLayer):
    """Each image, and its label, mixed with another one of the batch (Zhang et al., 2018)."""

    alpha: float = 0.2
    data_format: GivenDataFormat = None
    seed: int | None = None

    def draw(self, images: Value) -> Drawn:
        alpha = ops.constant(max(self.alpha, 1e-3), "f32")
        return {
            "order": permutation(images, self.seed),
            "weight": beta((images.shape[0], 1, 1, 1), alpha, self.seed),
        }

    def transform(self, images: Value, drawn: Drawn) -> Value:
        return mixed_labels(images, drawn["weight"], drawn["order"])

    def transform_labels(self, labels: Value, drawn: Drawn) -> Value:
        return mixed_labels(labels, drawn["weight"], drawn["order"])


class CutMix(ImageLayer):
    """A rectangle of each image comes from another one of the batch (Yun et al., 2019)."""

    factor: Any = 1.0
    seed: int | None = None
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 0, 1)

    def draw(self, images: Value) -> Drawn:
        low, high = self.factor
        alpha = ops.add(ops.multiply(uniform((1, 1, 1), self.seed), high - low), low + 1e-3)
        weight = beta((images.shape[0], 1, 1), alpha, self.seed)
        ratio = ops.Sqrt()(ops.add(ops.Negative()(weight), 1.0))
        return {
            "box": random_box(self, images, (ratio, ratio)),
            "order": permutation(images, self.seed),
        }

    def transform(self, images: Value, drawn: Drawn) -> Value:
        others = ops.gather(images, drawn["order"])
        return ops.select(inside_box(images, drawn["box"]), others, images)

    def transform_labels(self, labels: Value, drawn: Drawn) -> Value:
        return mixed_labels(labels, drawn["weight"], drawn["order"])

    def _drawn(self, images: Value) -> Drawn | None:
        drawn = super()._drawn(images)
        if drawn is not None:
            left, right, top, bottom = drawn["box"]
            area = ops.multiply(ops.subtract(right, left), ops.subtract(bottom, top))
            whole = ops.multiply(length(images.shape[1]), length(images.shape[2]))
            share = ops.add(ops.Negative()(ops.divide(area, whole)), 1.0)
            drawn["weight"] = ops.reshape(share, (*share.shape, 1))
        return drawn


class _Chosen(ImageLayer):
    """Base: changes by name, made with the arguments of the layer."""

    def changes(self) -> dict[str, ImageLayer]:
        """The changes to choose among, in Keras's order."""
        factor: Interval = getattr(self, "factor")  # noqa: B009
        common = {"seed": getattr(self, "seed")}  # noqa: B009
        bent = common | {"interpolation": getattr(self, "interpolation")}  # noqa: B009
        ranged = {"value_range": getattr(self, "value_range")}  # noqa: B009
        toned = common | ranged
        bits = max(1, int(8 * factor[1]))
        return {
            "shear": RandomShear(factor, factor, **bent),
            "translation": RandomTranslation(factor, factor, **bent),
            "rotation": RandomRotation(factor, **bent),
            "brightness": RandomBrightness(factor, **toned),
            "color_degeneration": RandomColorDegeneration(factor, **toned),
            "contrast": RandomContrast(factor, **toned),
            "sharpness": RandomSharpness(factor, **toned),
            "posterization": RandomPosterization(bits, **toned),
            "solarization": Solarization(factor, factor, **toned),
            "auto_contrast": AutoContrast(**ranged),
            "equalization": Equalization(**ranged),
        }


class RandAugment(_Chosen):
    """`num_ops` changes in a row, each chosen anew for a batch (Cubuk et al., 2020)."""

    value_range: Interval = BYTES
    num_ops: int = 2
    factor: Any = 0.5
    interpolation: Interpolation = "bilinear"
    seed: int | None = None
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 0, 1)
        self._changes = self.changes()

    def draw(self, images: Value) -> Drawn:
        count = float(len(self._changes))
        numbers = ops.Floor()(ops.multiply(uniform((self.num_ops,), self.seed), count))
        drawn = {name: change.draw(images) for name, change in self._changes.items()}
        return drawn | {"numbers": numbers}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        for step in range(self.num_ops):
            number = ops.slice_axis(drawn["numbers"], 0, step, step + 1)
            # one after the other: only the chosen one takes effect
            for place, (name, change) in enumerate(self._changes.items()):
                changed = change.transform(images, drawn[name])
                chosen = ops.binary(ops.Equal(), number, float(place))
                images = ops.select(chosen, changed, images)
        return images


class AugMix(_Chosen):
    """Chains of changes, mixed with each other and the image (Hendrycks et al., 2020).

    Which changes a chain has is settled when the layer's graph is made, as in Keras.
    """

    value_range: Interval = BYTES
    num_chains: int = 3
    chain_depth: int = 3
    factor: Any = 0.3
    alpha: float = 1.0
    all_ops: bool = True
    interpolation: Interpolation = "bilinear"
    seed: int | None = None
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 0, 1)
        changes = self.changes()
        if not self.all_ops:
            for name in ("brightness", "color_degeneration", "contrast", "sharpness"):
                del changes[name]
        self._changes = changes
        self._choice = random.Random(crc32(str(self.seed).encode()))

    def draw(self, images: Value) -> Drawn:
        alpha = ops.constant(max(self.alpha, 1e-3), "f32")
        names = [*self._changes, None]
        chains = []
        for _ in range(self.num_chains):
            chosen = [self._choice.choice(names) for _ in range(self.chain_depth)]
            chains.append(
                [{name: self._changes[name].draw(images)} for name in chosen if name is not None]
            )
        gammas = logarithm_of_gamma((self.num_chains,), alpha, self.seed)
        return {
            "chains": chains,
            "weights": ops.softmax(gammas, 0),  # shares of gammas: a Dirichlet distribution
            "weight": beta((1,), alpha, self.seed),
        }

    def transform(self, images: Value, drawn: Drawn) -> Value:
        total = ops.constant(np.zeros(1, np.float32))
        for place, chain in enumerate(drawn["chains"]):
            changed = images
            for step in chain:
                for name, parameters in step.items():
                    changed = self._changes[name].transform(changed, parameters)
            share = ops.slice_axis(drawn["weights"], 0, place, place + 1)
            total = ops.add(total, ops.multiply(changed, share))
        weight = drawn["weight"]
        rest = ops.add(ops.Negative()(weight), 1.0)
        return clip(
            ops.add(ops.multiply(images, weight), ops.multiply(total, rest)), self.value_range
        )
