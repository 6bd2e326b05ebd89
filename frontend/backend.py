"""What scripts for Keras ask of `keras.backend`."""

from __future__ import annotations

from kerac.names import clear_session


def epsilon() -> float:
    """The number that keeps divisions from dividing by zero."""
    return 1e-7


def floatx() -> str:
    """The dtype of weights and computations."""
    return "float32"


def image_data_format() -> str:
    """Where channels stand unless a layer says otherwise."""
    return "channels_last"


__all__ = ["clear_session", "epsilon", "floatx", "image_data_format"]
