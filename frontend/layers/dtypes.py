"""The dtypes that a layer computes in and keeps its weights in, from what its argument says."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from kerac import backend, dtype_policies, dtypes
from kerac.dtype_policies import DTypePolicy, DTypePolicyMap
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import FLOATS, computing_dtype, dtype_name
from kerac.names import scoped
from kerac.tracing import computing, current_trace


class WithDTypes:
    """What layers have of a dtype policy."""

    autocast: ClassVar[bool]
    name: str | None
    path: str
    dtype: Any
    _dtype_policy: DTypePolicy

    def _settled_dtype(self, given: Any, name: str) -> Any:
        """The dtype of weights; what the argument `dtype` says is the policy from now on."""
        self._dtype_policy = policy_of(given, type(self).__name__, name)
        return self._dtype_policy.variable_dtype

    @property
    def dtype_policy(self) -> DTypePolicy:
        """What the layer computes in, and in what it keeps its weights."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self.dtype = self._settled_dtype(value, str(self.name))

    def _own_policy(self) -> DTypePolicy:
        policy = self._dtype_policy
        return policy[self.path] if isinstance(policy, DTypePolicyMap) and self.path else policy

    @property
    def compute_dtype(self) -> str:
        """The dtype of what the layer computes with."""
        return self._own_policy().compute_dtype

    input_dtype = compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights."""
        return self._own_policy().variable_dtype

    def _computing(self) -> AbstractContextManager[None]:
        """Where the layer's dtypes hold."""
        if isinstance(self._dtype_policy, DTypePolicyMap) and not self.path:
            self.path = "/".join(scoped("").split("/")[:-1])
        compute, is_mixed = self.compute_dtype, self.compute_dtype != self.variable_dtype
        return computing(dtype_name(compute), is_mixed, self.autocast)

    def as_result(self, x: Value) -> Value:
        """x in the dtype of what the layer returns."""
        return ops.cast(x, dtype_name(self.compute_dtype))


def policy_of(given: Any, class_name: str, name: str) -> DTypePolicy:
    """The policy that `dtype` stands for; layers compute in floating point alone."""
    try:
        found = dtype_policies.get(given)
    except CompileError as error:
        raise error.with_details(thing=f"{class_name} {name!r}") from None
    if found.compute_dtype not in dtypes.FLOATS:
        raise UnsupportedError(
            f"{class_name} {name!r}: has dtype {found.name!r}, but computes in floating point",
            remedy=dtype_policies.REMEDY,
        )
    return found


def float32_only(dtype: Any, class_name: str, name: str) -> str:
    """`dtype`, which says what an operation gives, where that is float32."""
    if isinstance(dtype, Mapping):
        dtype = (dtype.get("config") or {}).get("name", dtype.get("class_name"))
    if getattr(dtype, "name", dtype) in (None, "float32"):
        return "float32"
    raise UnsupportedError(
        f"{class_name} {name!r}: has dtype {dtype!r}, but gives float32",
        remedy='Make it with dtype="float32".',
    )


def as_computed(x: Any) -> Any:
    """x in the dtype that the layer computes in, where it is floating."""
    compute = current_trace().compute
    if compute and isinstance(x, Value) and not isinstance(x.type, tuple) and x.dtype in FLOATS:
        return ops.cast(x, compute)
    return x


def as_float(x: Value) -> Value:
    """x, whose integers become what the layer computes with."""
    if x.dtype in FLOATS:
        return x
    return ops.cast(x, current_trace().compute or dtype_name(backend.floatx()))


def as_wide(x: Value) -> Value:
    """x in float32 or float64, for statistics that 16 bits would spoil."""
    return ops.cast(as_float(x), computing_dtype(as_float(x).dtype))
