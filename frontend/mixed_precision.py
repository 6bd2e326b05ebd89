"""What scripts for Keras ask of `keras.mixed_precision`: the one policy there is, float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerac.ir.errors import UnsupportedError
from kerac.layers.dtypes import name_of, policy
from kerac.optimizers import LossScaleOptimizer


@dataclass(frozen=True)
class DTypePolicy:
    """The dtypes in which a layer computes and keeps its weights."""

    name: str = "float32"

    def __post_init__(self) -> None:
        if self.name != "float32":
            raise UnsupportedError(
                f"dtype policy: is {self.name!r}, but kerac computes in float32",
                remedy="Leave the policy as it is: it is float32.",
            )

    @property
    def compute_dtype(self) -> str:
        """The dtype of what layers return."""
        return self.name

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights."""
        return self.name

    def get_config(self) -> dict[str, Any]:
        """The arguments, as files hold them."""
        return {"name": self.name}

    def serialize(self) -> Any:
        """The policy as Keras writes it."""
        return policy(self.name)


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are made without one."""
    return DTypePolicy()


def set_dtype_policy(given: Any) -> None:
    """Choose the policy of layers that are made from now on, which is float32."""
    DTypePolicy(name_of(given))


Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]
