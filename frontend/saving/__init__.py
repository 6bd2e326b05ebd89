"""Reading and writing model files as plain data: nothing in a file is run or opened."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kerac.registration import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)

if TYPE_CHECKING:
    from kerac.models import load_model, save_model
    from kerac.models.saving import load_weights, save_weights
    from kerac.saving.objects import deserialize_keras_object, serialize_keras_object

# What models do with files is there, and models themselves read files with what is here.
_ELSEWHERE = {
    **dict.fromkeys(("load_model", "save_model"), "kerac.models"),
    **dict.fromkeys(("load_weights", "save_weights"), "kerac.models.saving"),
    **dict.fromkeys(
        ("deserialize_keras_object", "serialize_keras_object"), "kerac.saving.objects"
    ),
}


def __getattr__(name: str) -> Any:
    """What needs models or layers, imported when it is first named."""
    if name in _ELSEWHERE:
        return getattr(import_module(_ELSEWHERE[name]), name)
    raise AttributeError(f"module 'kerac.saving' has no attribute {name!r}")


__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
