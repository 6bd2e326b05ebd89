"""Reading and writing model files as plain data: nothing in a file is run or opened."""

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


def __getattr__(name: str) -> Any:
    """What models do with files; models themselves read files with what is here."""
    if name in ("load_model", "save_model"):
        from kerac import models

        return getattr(models, name)
    raise AttributeError(f"module 'kerac.saving' has no attribute {name!r}")


__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "register_keras_serializable",
    "save_model",
]
