"""Layers where Keras 2 kept them."""

from kerac.layers import (
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
)

__all__ = [
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
]
