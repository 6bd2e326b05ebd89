"""A layer that says which steps of a sequence count."""

from __future__ import annotations

from typing import Any

from kerac.eager import evaluate
from kerac.ir import Value, ops
from kerac.layers.base import Layer
from kerac.layers.masks import any_along


class Masking(Layer):
    """Steps whose features all equal `mask_value` become 0 and are skipped by the layers after it.

    inputs: f32[N, T, ...] -> f32[N, T, ...], mask: bool[N, T]
    """

    mask_value: float = 0.0

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if hasattr(arguments.get("mask_value"), "item"):
            arguments["mask_value"] = arguments["mask_value"].item()
        return arguments

    def call(self, inputs: Value) -> Any:
        kept = self.compute_mask(inputs, None)
        kept = ops.reshape(kept, (*inputs.shape[:-1], 1))
        return ops.select(kept, inputs, ops.constant(0, inputs.dtype))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if not isinstance(inputs, Value):
            return evaluate(self.compute_mask, [inputs])
        different = ops.NotEqual()(inputs, ops.constant(self.mask_value, inputs.dtype))
        return any_along(different, inputs.ndim - 1)
