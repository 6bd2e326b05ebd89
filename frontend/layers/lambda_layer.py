"""A function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from kerac.ir.errors import UnsupportedError
from kerac.layers.base import Layer
from kerac.registration import given_function, written_function


class Lambda(Layer, registered=False):
    """`function` of the input and of `arguments`, stated with kerac.ops.

    `mask` is that of the output: a value, or a function of the input and its mask. The shape of
    the output follows from the function, whatever `output_shape` says. Files name the function and
    never hold it, so those that hold a Lambda are refused.
    """

    function: Any
    output_shape: Any = None
    mask: Any = None
    arguments: Any = None

    supports_masking = True

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise UnsupportedError(
                f"Lambda {self.name!r}: {self.function!r:.60} is given, but a function is needed"
            )
        self.arguments = dict(self.arguments or {})

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        parameters = inspect.signature(self.function).parameters
        offered = {"mask": mask, "training": training}
        given = {name: x for name, x in offered.items() if name in parameters}
        return self.function(inputs, **{**given, **self.arguments})

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if callable(self.mask):
            return self.mask(inputs, previous_mask)
        return self.mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": written_function(self.function)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        found = given_function(config.get("function"))
        return cls(**{**config, "function": found or config.get("function")})


