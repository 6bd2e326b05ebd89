"""Conditions on weights, which training restores after each step."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from kerac.configured import Configured
from kerac.convert import Conversion
from kerac.eager import evaluate
from kerac.ir import Value, ops
from kerac.ir.errors import UnsupportedError
from kerac.lookup import find, table_of

EPSILON = 1e-7


class Constraint(Configured):
    """Base of the conditions."""

    module: ClassVar[str] = "keras.constraints"

    def __call__(self, w: Any) -> Any:
        return self.apply(w) if isinstance(w, Value) else evaluate(self.apply, [w])

    def apply(self, w: Value) -> Value:
        """The nearest weight, or one nearer, that fulfils the condition."""
        raise UnsupportedError(f"{type(self).__name__} does not say what it computes")


class MaxNorm(Constraint):
    """A norm along `axis` of at most `max_value`."""

    max_value: float = 2
    axis: int | list[int] = 0

    def apply(self, w: Value) -> Value:
        norms = norms_of(w, self.axis)
        wanted = ops.minimum(ops.maximum(norms, 0.0), self.max_value)
        return w * (wanted / (EPSILON + norms))


class NonNeg(Constraint):
    """No element below 0."""

    def apply(self, w: Value) -> Value:
        return ops.maximum(w, 0.0)


class UnitNorm(Constraint):
    """A norm along `axis` of 1."""

    axis: int | list[int] = 0

    def apply(self, w: Value) -> Value:
        return w / (EPSILON + norms_of(w, self.axis))


class MinMaxNorm(Constraint):
    """A norm along `axis` between two values, reached by the share `rate` at each step."""

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: int | list[int] = 0

    def apply(self, w: Value) -> Value:
        norms = norms_of(w, self.axis)
        inside = ops.minimum(ops.maximum(norms, self.min_value), self.max_value)
        wanted = self.rate * inside + (1 - self.rate) * norms
        return w * (wanted / (EPSILON + norms))


def norms_of(w: Value, axis: int | list[int]) -> Value:
    """The norm along axes, which stay with length 1."""
    axes = sorted({n % w.ndim for n in ([axis] if isinstance(axis, int) else axis)})
    return ops.Sqrt()(ops.reduce_sum(ops.Square()(w), tuple(axes), keepdims=True))


# the names by which scripts call them
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

CONSTRAINTS = table_of(MaxNorm, NonNeg, UnitNorm, MinMaxNorm)


def get(identifier: Any) -> Constraint | None:
    """The constraint that a name, a config, a class or an instance stands for."""
    found: Constraint | None = find(identifier, CONSTRAINTS, Constraint, "constraint")
    return found


def serialize(constraint: Constraint) -> dict[str, Any]:
    """A constraint as Keras writes it."""
    return constraint.serialize()


def deserialize(config: Any) -> Constraint | None:
    """The constraint that a config describes."""
    return get(config)


MaybeConstraint = Annotated[Constraint | None, Conversion(get, serialize, "a constraint")]
"""The kind of a layer's field that holds a constraint or None."""
