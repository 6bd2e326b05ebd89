"""Layers where Keras 2 kept them."""

from kerac.layers import (
    Embedding,
)

__all__ = [
    "Embedding",
]
