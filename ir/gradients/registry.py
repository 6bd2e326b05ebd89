"""Which function is the gradient of which op."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kerac.ir.graph import Value
from kerac.ir.op import Op


@dataclass(frozen=True)
class Applied:
    """An op at work: its operands, its result, and the cotangent of the result.

    Where the op has several results, `cotangent` has one entry for each, None where it is zero.
    """

    op: Any
    inputs: tuple[Value | None, ...]
    result: Value
    cotangent: Any


Cotangents = tuple[Value | None, ...]
Gradient = Callable[[Applied], Cotangents]
GRADIENTS: dict[type[Op], Gradient] = {}
# ops that nothing flows back through, and why
WITHOUT_GRADIENT: dict[type[Op], str] = {}


def gradient_of(*ops: type[Op]) -> Callable[[Gradient], Gradient]:
    """Register the function that makes cotangents of the inputs of `ops`; None where zero."""

    def register(function: Gradient) -> Gradient:
        GRADIENTS.update(dict.fromkeys(ops, function))
        return function

    return register


def find_gradient(op: type[Op]) -> Gradient | None:
    """The function of an op, or that of the nearest base of it that has one."""
    importlib.import_module("kerac.ir.gradients")  # where the families register themselves

    for base in op.__mro__:
        if base in GRADIENTS:
            return GRADIENTS[base]
    return None
