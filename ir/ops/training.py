"""Ops that differ between training and inference; here they have their meaning in inference."""

from __future__ import annotations

from dataclasses import dataclass

from kerac.ir.errors import ShapeError
from kerac.ir.graph import Value
from kerac.ir.op import Array, Op
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class Dropout(Op):
    """x in inference. In training a share `rate` of x is zero and the rest is divided by 1 - rate.

    x: t[...] -> t[...]; entries along axes in `shared_axes` are dropped together
    (Srivastava et al., 2014)
    """

    rate: float
    shared_axes: tuple[int, ...] = ()
    seed: int | None = None

    def infer(self, x: TensorType) -> TensorType:
        if not 0 <= self.rate <= 1:
            raise ShapeError(f"rate must lie between 0 and 1, but is {self.rate}")
        return x

    def evaluate(self, x: Array) -> Array:
        return x


@dataclass(frozen=True)
class StopGradient(Op):
    """x, which gradients do not flow back through.

    x: t[...] -> t[...]
    """

    def infer(self, x: TensorType) -> TensorType:
        return x

    def evaluate(self, x: Array) -> Array:
        return x


def stop_gradient(x: Value) -> Value:
    """x, held constant by gradients."""
    return StopGradient()(x)


@dataclass(frozen=True)
class CustomGradient(Op):
    """y, whose cotangent goes to the xs as a function of the user's says.

    y: t[...], xs: any -> t[...]; `number` names the function, which this process alone knows.
    """

    number: int

    def infer(self, y: TensorType, *xs: TensorType) -> TensorType:
        return y

    def evaluate(self, y: Array, *xs: Array) -> Array:
        return y
