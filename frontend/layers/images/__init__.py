"""Layers that change images: their size, and, in training, what can be seen on them."""

from kerac.layers.images.color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    Solarization,
)
from kerac.layers.images.filters import (
    AutoContrast,
    Equalization,
    RandomErasing,
    RandomGaussianBlur,
    RandomSharpness,
)
from kerac.layers.images.geometric import (
    RandomCrop,
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from kerac.layers.images.mixing import AugMix, CutMix, MixUp, RandAugment
from kerac.layers.images.resizing import CenterCrop, Resizing

__all__ = [
    "AugMix",
    "AutoContrast",
    "CenterCrop",
    "CutMix",
    "Equalization",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
    "Solarization",
]
