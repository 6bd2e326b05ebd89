"""Layers where Keras 2 kept them."""

from kerac.layers import (
    ELU,
    LeakyReLU,
    PReLU,
    ReLU,
    Softmax,
)

__all__ = [
    "ELU",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Softmax",
]
