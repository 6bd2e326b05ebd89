"""Conditions on weights, as data: they matter in training alone."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from kerac.configured import Configured
from kerac.convert import Conversion
from kerac.lookup import find, table_of


class ConstraintBase(Configured):
    """Base of the conditions."""

    module: ClassVar[str] = "keras.constraints"


class MaxNorm(ConstraintBase):
    """A norm along `axis` of at most `max_value`."""

    max_value: float = 2
    axis: int | list[int] = 0


class NonNeg(ConstraintBase):
    """No element below 0."""


class UnitNorm(ConstraintBase):
    """A norm along `axis` of 1."""

    axis: int | list[int] = 0


class MinMaxNorm(ConstraintBase):
    """A norm along `axis` between two values, reached by the share `rate` at each step."""

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: int | list[int] = 0


CONSTRAINTS = table_of(MaxNorm, NonNeg, UnitNorm, MinMaxNorm)


def get(identifier: Any) -> ConstraintBase | None:
    """The constraint that a name, a config, a class or an instance stands for."""
    found: ConstraintBase | None = find(identifier, CONSTRAINTS, ConstraintBase, "constraint")
    return found


def serialize(constraint: ConstraintBase) -> dict[str, Any]:
    """A constraint as Keras writes it."""
    return constraint.serialize()


Constraint = Annotated[ConstraintBase | None, Conversion(get, serialize, "a constraint")]
"""The kind of a layer's field that holds a constraint or None."""
