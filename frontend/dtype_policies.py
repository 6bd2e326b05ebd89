"""Policies: the dtypes in which layers compute and keep their weights.

`float32` and the like are both; `mixed_bfloat16` and `mixed_float16` compute in 16 bits with
weights in float32.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kerac.backend import floatx
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import DTYPES
from kerac.saving.config import SerializedObject

MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
QUANTIZED = ("int8_from_", "float8_from_", "int4", "gptq", "awq")
REMEDY = "Known are float32, float64, float16, bfloat16, mixed_float16 and mixed_bfloat16."


class DTypePolicy:
    """The dtypes of one layer: in a mixed policy it casts inputs and weights to `compute_dtype`."""

    def __init__(self, name: str | None = None) -> None:
        """`name` is that of a dtype or of a mixed policy; without it, that of the global policy."""
        name = dtype_policy().name if name is None else name
        if isinstance(name, str) and name.startswith(QUANTIZED):
            raise UnsupportedError(
                f"dtype policy: is {name!r}, but kerac computes in floating point", remedy=REMEDY
            )
        if not isinstance(name, str) or name not in {*MIXED, *DTYPES.values(), "string"}:
            raise CompileError(
                f"dtype policy: is {name!r:.60}, but the name of a dtype or of a mixed policy "
                "is expected",
                remedy=REMEDY,
            )
        self._name = name

    @property
    def name(self) -> str:
        """The name, from which the two dtypes follow."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype of what layers compute with, and of what they return."""
        return MIXED.get(self._name, self._name)

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights."""
        return "float32" if self._name in MIXED else self._name

    @property
    def quantization_mode(self) -> None:
        """How weights are quantized: they are not."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments, as files hold them."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """The policy that `get_config` described."""
        return cls(**config)

    def serialize(self) -> dict[str, Any]:
        """The policy as Keras writes it."""
        return {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": self.get_config(),
            "registered_name": None,
        }

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.serialize() == self.serialize()

    def __hash__(self) -> int:
        return hash(self._name)


class FloatDTypePolicy(DTypePolicy):
    """Another name of `DTypePolicy`."""


class DTypePolicyMap(DTypePolicy):
    """Policies by the paths of layers: an exact one, else the pattern that matches the whole path.

    Layers that nothing names have the default policy, which is the global one if it is None.
    """

    def __init__(self, default_policy: Any = None, policy_map: Any = None) -> None:
        self._default = None if default_policy is None else get(default_policy)
        self._map: dict[str, DTypePolicy] = {}
        for key, policy in (policy_map or {}).items():
            self[key] = policy

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of layers that nothing names."""
        return dtype_policy() if self._default is None else self._default

    @property
    def name(self) -> str:
        return f"map_{self.default_policy.name}"

    @property
    def compute_dtype(self) -> str:
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        return self.default_policy.variable_dtype

    def get_config(self) -> dict[str, Any]:
        default = None if self._default is None else self._default.serialize()
        policies = {key: policy.serialize() for key, policy in self._map.items()}
        return {"default_policy": default, "policy_map": policies}

    def serialize(self) -> dict[str, Any]:
        return super().serialize() | {
            "module": "keras.dtype_policies",
            "class_name": "DTypePolicyMap",
        }

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._map:
            return self._map[key]
        found = [pattern for pattern in self._map if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise CompileError(f"dtype policies: {key!r} is matched by {' and '.join(found)}")
        return self._map[found[0]] if found else self.default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._map:
            raise CompileError(f"dtype policies: {key!r} has one already, {self._map[key]!r}")
        self._map[key] = get(policy)

    def __delitem__(self, key: str) -> None:
        del self._map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._map

    def __len__(self) -> int:
        return len(self._map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def __repr__(self) -> str:
        mapping = [(key, policy.name) for key, policy in self._map.items()]
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={mapping}>"

    __hash__ = DTypePolicy.__hash__


CLASSES: dict[str, type[DTypePolicy]] = {
    "DTypePolicy": DTypePolicy,
    "FloatDTypePolicy": FloatDTypePolicy,
    "Policy": DTypePolicy,
    "DTypePolicyMap": DTypePolicyMap,
}
_global: list[DTypePolicy] = []


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are made without one; `floatx` unless another was set."""
    return _global[-1] if _global else DTypePolicy(floatx())


def set_dtype_policy(policy: Any) -> None:
    """Choose the policy of layers that are made from now on."""
    if policy is None:
        raise CompileError("dtype policy: is None, but a policy is expected", remedy=REMEDY)
    _global[:] = [get(policy)]


def get(identifier: Any) -> DTypePolicy:
    """A policy from its name, its config, a dtype or an object of Keras; None is the global one."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if hasattr(identifier, "get_config"):  # Keras's own, of which one is a mapping
        kind = type(identifier).__name__
        return deserialize({"class_name": kind, "config": identifier.get_config()})
    if isinstance(identifier, Mapping | SerializedObject):
        return deserialize(identifier)
    name = getattr(identifier, "name", None) or getattr(identifier, "__name__", None)
    return DTypePolicy(name or identifier)


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """The policy as Keras writes it."""
    return dtype_policy.serialize()


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> DTypePolicy:
    """The policy that `serialize`, Keras or a file described."""
    if isinstance(config, SerializedObject):
        config = {"class_name": config.class_name, "config": config.config}
    name, arguments = config.get("class_name"), config.get("config")
    cls = (custom_objects or {}).get(name) or CLASSES.get(name)
    if cls is None:
        raise _refused(name)
    if not isinstance(arguments, Mapping):
        raise CompileError(f"dtype policy: its config is {arguments!r:.40}, but must be an object")
    found: DTypePolicy = cls.from_config(arguments)
    return found


def _refused(name: Any) -> UnsupportedError:
    return UnsupportedError(f"dtype policy: is a {name!s:.40}, which kerac lacks", remedy=REMEDY)


__all__ = [
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "deserialize",
    "get",
    "serialize",
]
