"""What scripts for Keras ask of `keras.mixed_precision`."""

from kerac.dtype_policies import DTypePolicy, dtype_policy, set_dtype_policy
from kerac.optimizers import LossScaleOptimizer

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
