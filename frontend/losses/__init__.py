"""Keras's losses: functions of labels and predictions, and classes that weigh and reduce them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kerac.configured import Configured, suggestion
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.losses.base import FunctionLoss, Loss, LossFunctionWrapper
from kerac.losses.classes import (
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
from kerac.losses.classification import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from kerac.losses.overlap import circle, dice, tversky
from kerac.losses.regression import (
    categorical_hinge,
    cosine_similarity,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    squared_hinge,
)
from kerac.losses.sequences import ctc
from kerac.saving.config import SerializedFunction, SerializedObject

CLASSES: tuple[type[FunctionLoss], ...] = (
    *(KLDivergence, Poisson, BinaryCrossentropy, BinaryFocalCrossentropy),
    *(CategoricalCrossentropy, CategoricalFocalCrossentropy, SparseCategoricalCrossentropy),
    *(CategoricalGeneralizedCrossEntropy, MeanSquaredError, MeanAbsoluteError),
    *(MeanAbsolutePercentageError, MeanSquaredLogarithmicError, CosineSimilarity, LogCosh, Huber),
    *(Hinge, SquaredHinge, CategoricalHinge, Dice, Tversky, Circle, CTC),
)
LOSSES: dict[str, type[Configured]] = {cls.__name__: cls for cls in CLASSES}
LOSSES["LossFunctionWrapper"] = LossFunctionWrapper
ALIASES = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "mape": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{cls.function.__name__: cls.function for cls in CLASSES},
    **ALIASES,
    **{name.upper(): function for name, function in ALIASES.items()},
    # as Keras once called them
    "logcosh": log_cosh,
    "kullback_leibler_divergence": kl_divergence,
    "cosine_proximity": cosine_similarity,
    "huber_loss": huber,
}


def get(identifier: Any) -> Any:
    """The loss, or the function of losses, that a name, a config or an object stands for."""
    return deserialize(identifier)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss that a name or a config describes; what can be called stands for itself."""
    table: dict[str, Any] = {**LOSSES, **FUNCTIONS, **(custom_objects or {})}
    if isinstance(name, dict) and isinstance(name.get("class_name"), str):
        name = _decoded(name)
    if isinstance(name, SerializedFunction):
        name = name.registered_name if name.registered_name in table else name.name
    if isinstance(name, SerializedObject):
        found = table.get(name.kind, table.get(name.class_name))
        if not isinstance(found, type):
            raise UnsupportedError(
                f"there is no loss {name.class_name!r}", remedy=suggestion(name.class_name, LOSSES)
            )
        config = name.config
        if isinstance(config.get("fn"), SerializedFunction | str):
            config = config | {"fn": deserialize(config["fn"], custom_objects)}
        return found(**config)
    if isinstance(name, str):
        if name not in table:
            raise UnsupportedError(f"there is no loss {name!r}", remedy=suggestion(name, table))
        name = table[name]
    if isinstance(name, type):
        name = name()
    if name is not None and not callable(name):
        raise CompileError(f"{name!r:.60} is no loss, nor the name of one")
    return name


def _decoded(config: dict[str, Any]) -> Any:
    from kerac.saving.config import decode_members

    return decode_members({"loss": config})["loss"]


def serialize(loss: Any) -> Any:
    """A loss as Keras writes it: a config, or the name of a function."""
    if isinstance(loss, Loss):
        return loss.serialize()
    return loss.__name__


__all__ = [
    "CTC",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]
