"""Nodes of a model that are no layers, such as `x + y`; `kerac.ops` defines them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from kerac.configured import fields
from kerac.dtype_policies import DTypePolicy
from kerac.layers.base import REGISTRY, Layer
from kerac.layers.dtypes import float32_only
from kerac.names import automatic_name


class Operation(Layer, registered=False):
    """Base: a function of values and numbers, which Keras calls `class_name` in its module."""

    module: ClassVar[str] = "keras.src.ops.numpy"
    class_name: ClassVar[str] = ""
    autocast = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Put the operation into the table, as `ops.Add` for the class `AddOperation`."""
        super().__init_subclass__(registered=False, **keywords)
        if not cls.__name__.startswith("_"):
            cls.class_name = cls.__name__.removesuffix("Operation")
            REGISTRY[f"ops.{cls.class_name}"] = cls

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if kwargs.get("name") is None:
            kwargs["name"] = automatic_name(self.class_name)
        return super()._by_name(args, kwargs)

    def _settled_dtype(self, given: Any, name: str) -> Any:
        self._dtype_policy = DTypePolicy("float32")
        return float32_only(given, self.class_name, name)

    def _computing(self) -> AbstractContextManager[None]:
        """Operations have no dtype of their own: results follow from operands."""
        return nullcontext()

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        hidden = fields(Layer).keys() - {"name"}
        return {name: value for name, value in config.items() if name not in hidden}

    def serialize(self) -> dict[str, Any]:
        return {
            "module": self.module,
            "class_name": self.class_name,
            "config": self.get_config(),
            "registered_name": self.class_name,
        }
