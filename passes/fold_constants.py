"""What depends on constants and parameters alone is computed now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, update_wrapper

import numpy as np

from kerac.ir import Value
from kerac.ir.ops import Call, Constant, Dropout, Item, Parameter, constant
from kerac.ir.types import is_static
from kerac.passes.base import Pass
from kerac.passes.patterns import SMALL, array_of
from kerac.passes.rewrite import Rule, Uses

LEAVES = (Constant, Parameter, Call, Item, Dropout)


def fold(value: Value, uses: Uses, limit: int = SMALL) -> Value | None:
    """Compute a value that has constant operands only, unless it is much larger than these.

    def before(x: f32[N, 4]):
        weights: f32[4] = constant([1.0, 2.0, 3.0, 4.0])
        kernel = multiply(reshape(weights, shape=(4, 1)), 0.5)
        y = dense(x, kernel)
        return y
    def after(x: f32[N, 4]):
        kernel: f32[4, 1] = constant([[0.5], [1.0], [1.5], [2.0]])
        y = dense(x, kernel)
        return y
    """
    if isinstance(value.op, LEAVES) or not value.inputs or isinstance(value.type, tuple):
        return None
    arrays = [array_of(operand) for operand in value.inputs]
    present = [array for array in arrays if array is not None]
    if len(present) != len(value.operands) or not is_static(value.shape):
        return None
    # a broadcast or repetition is cheaper made where it is used than stored
    if value.tensor_type.size > max(limit, sum(array.size for array in present)):  # type: ignore[operator]
        return None
    with np.errstate(all="ignore"):
        return constant(value.op.computed(*arrays))


@dataclass(frozen=True)
class FoldConstants(Pass):
    """Compute what depends on constants alone; results of up to `limit` elements may be larger."""

    rules = (fold,)
    limit: int = SMALL

    def chosen_rules(self) -> tuple[Rule, ...]:
        """The rule with the limit."""
        return (update_wrapper(partial(fold, limit=self.limit), fold),)
