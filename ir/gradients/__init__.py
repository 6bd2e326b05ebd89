"""Gradients of all ops, as IR; importing this package registers them. One file holds one family."""

from kerac.ir.gradients import (
    contraction,
    convolution,
    elementwise,
    leaves,
    movement,
    normalization,
    pooling,
    recurrent,
    reduction,
)
from kerac.ir.gradients.registry import GRADIENTS, WITHOUT_GRADIENT, gradient_of
from kerac.ir.gradients.reverse import reverse

__all__ = [
    "GRADIENTS",
    "WITHOUT_GRADIENT",
    "contraction",
    "convolution",
    "elementwise",
    "gradient_of",
    "leaves",
    "movement",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "reverse",
]
