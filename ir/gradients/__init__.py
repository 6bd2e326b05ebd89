"""Gradients of all ops, as IR; importing this package registers them. One file holds one family."""

from kerac.ir.gradients import (
    contraction,
    convolution,
    custom,
    elementwise,
    leaves,
    movement,
    normalization,
    pooling,
    recurrent,
    reduction,
    scatter,
)
from kerac.ir.gradients.registry import GRADIENTS, WITHOUT_GRADIENT, gradient_of
from kerac.ir.gradients.reverse import reverse

__all__ = [
    "GRADIENTS",
    "WITHOUT_GRADIENT",
    "contraction",
    "convolution",
    "custom",
    "elementwise",
    "gradient_of",
    "leaves",
    "movement",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "reverse",
    "scatter",
]
