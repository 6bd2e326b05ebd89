"""Penalties on weights, as data: they matter in training alone."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from kerac.configured import Configured
from kerac.convert import Conversion
from kerac.lookup import find, table_of


class RegularizerBase(Configured):
    """Base of the penalties."""

    module: ClassVar[str] = "keras.regularizers"


class L1(RegularizerBase):
    """l1 * sum(|x|)."""

    l1: float = 0.01

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        return _renamed(arguments, "l", "l1")


class L2(RegularizerBase):
    """l2 * sum(x * x)."""

    l2: float = 0.01

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        return _renamed(arguments, "l", "l2")


class L1L2(RegularizerBase):
    """l1 * sum(|x|) + l2 * sum(x * x)."""

    l1: float = 0.0
    l2: float = 0.0


class OrthogonalRegularizer(RegularizerBase):
    """factor * sum(|products of different rows or columns|)."""

    factor: float = 0.01
    mode: Literal["rows", "columns"] = "rows"


def _renamed(arguments: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {(new if name == old else name): value for name, value in arguments.items()}


REGULARIZERS = table_of(
    L1, L2, L1L2, OrthogonalRegularizer, l1=L1, l2=L2, l1_l2=L1L2, l1l2=L1L2
)


def get(identifier: Any) -> RegularizerBase | None:
    """The regularizer that a name, a config, a class or an instance stands for."""
    found: RegularizerBase | None = find(identifier, REGULARIZERS, RegularizerBase, "regularizer")
    return found


def serialize(regularizer: RegularizerBase) -> dict[str, Any]:
    """A regularizer as Keras writes it."""
    return regularizer.serialize()


Regularizer = Annotated[RegularizerBase | None, Conversion(get, serialize, "a regularizer")]
"""The kind of a layer's field that holds a regularizer or None."""
