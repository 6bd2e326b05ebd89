"""Keras's metrics: state that batches change, stated as graphs, and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerac.configured import Configured, suggestion
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import TensorType
from kerac.lookup import table_of
from kerac.losses import deserialize as find_loss
from kerac.losses.classification import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    sparse_categorical_crossentropy,
)
from kerac.losses.regression import (
    categorical_hinge,
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
from kerac.metrics.accuracy import (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from kerac.metrics.area import AUC
from kerac.metrics.base import Mean, MeanMetricWrapper, Metric, Sum
from kerac.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from kerac.metrics.determination import R2Score
from kerac.metrics.means import (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    TopKCategoricalAccuracy,
    concordance_correlation,
    pearson_correlation,
)
from kerac.metrics.overlap import (
    BinaryIoU,
    F1Score,
    FBetaScore,
    IoU,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
)
from kerac.names import snake_case
from kerac.saving.config import SerializedFunction, SerializedObject, decode_members

CLASSES: tuple[type[Configured], ...] = (
    *(Mean, Sum, MeanMetricWrapper, Accuracy, BinaryAccuracy, CategoricalAccuracy),
    *(SparseCategoricalAccuracy, TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy),
    *(MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError),
    *(MeanSquaredLogarithmicError, LogCoshError, CosineSimilarity, R2Score, PearsonCorrelation),
    *(ConcordanceCorrelation, Hinge, SquaredHinge, CategoricalHinge, KLDivergence, Poisson),
    *(BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, AUC),
    *(TruePositives, TrueNegatives, FalsePositives, FalseNegatives, Precision, Recall),
    *(SensitivityAtSpecificity, SpecificityAtSensitivity, PrecisionAtRecall, RecallAtPrecision),
    *(FBetaScore, F1Score, IoU, BinaryIoU, MeanIoU, OneHotIoU, OneHotMeanIoU),
)
METRICS = table_of(
    *CLASSES,
    bce=BinaryCrossentropy,
    mse=MeanSquaredError,
    mae=MeanAbsoluteError,
    mape=MeanAbsolutePercentageError,
    msle=MeanSquaredLogarithmicError,
    rmse=RootMeanSquaredError,
    kld=KLDivergence,
    logcosh=LogCoshError,
    cosine_proximity=CosineSimilarity,
    acc=Accuracy,
)


def get(identifier: Any) -> Any:
    """The metric that a name, a config, a class, an instance or a function stands for."""
    return deserialize(identifier)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric that a name or a config describes; a function stands for itself."""
    table: dict[str, Any] = {**METRICS, **(custom_objects or {})}
    if isinstance(config, dict) and isinstance(config.get("class_name"), str):
        config = decode_members({"metric": config})["metric"]
    if isinstance(config, SerializedFunction):
        config = config.name
    if isinstance(config, SerializedObject):
        return _made(config, table, custom_objects)
    if isinstance(config, str):
        config = table[_known(config, table)]
    if isinstance(config, type) and issubclass(config, Metric):
        config = config()
    if config is not None and not callable(config):
        raise CompileError(f"{config!r:.60} is no metric, nor the name of one")
    return config


def _known(name: str, table: Mapping[str, Any]) -> str:
    for candidate in (name, name.lower()):
        if candidate in table:
            return candidate
    raise UnsupportedError(f"there is no metric {name!r}", remedy=suggestion(name, table))


def _made(described: SerializedObject, table: Mapping[str, Any], custom: Any) -> Any:
    kind = described.kind if described.kind in table else described.class_name
    config = dict(described.config)
    if isinstance(config.get("fn"), SerializedFunction | SerializedObject | str):
        config["fn"] = find_loss(config["fn"], custom)
    return table[_known(kind, table)](**config)


def serialize(metric: Metric) -> Any:
    """A metric as Keras writes it."""
    return metric.serialize() if isinstance(metric, Metric) else metric.__name__


BY_SHAPES = {
    "accuracy": (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy),
    "crossentropy": (
        BinaryCrossentropy,
        SparseCategoricalCrossentropy,
        CategoricalCrossentropy,
    ),
}
BY_SHAPES |= {"acc": BY_SHAPES["accuracy"], "ce": BY_SHAPES["crossentropy"]}


def resolve(identifier: Any, y_true: TensorType, y_pred: TensorType) -> Metric | None:
    """The metric of a model's output: `accuracy` becomes the one that fits the shapes.

    Predictions with a last axis of 1 are binary; labels with fewer axes, or a last one of 1, are
    numbers of classes. Named by a text, the metric is called by that text.
    """
    if isinstance(identifier, str) and identifier.lower() in BY_SHAPES:
        binary, sparse, categorical = BY_SHAPES[identifier.lower()]
        last = y_true.shape[-1] if y_true.ndim else None
        if y_pred.ndim and y_pred.shape[-1] == 1:
            found: Any = binary(name=identifier)
        elif y_true.ndim < y_pred.ndim or last == 1:
            found = sparse(name=identifier)
        else:
            found = categorical(name=identifier)
    else:
        found = get(identifier)
        if found is not None and not isinstance(found, Metric):
            names = [getattr(found, key, None) for key in ("name", "__name__")]
            found = MeanMetricWrapper(found, name=snake_case(names[0] or names[1] or "metric"))
        if isinstance(identifier, str):
            found.name = identifier
    result: Metric | None = found
    return result


__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "concordance_correlation",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pearson_correlation",
    "poisson",
    "resolve",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]
