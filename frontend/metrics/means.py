"""Metrics that are the mean of a function of labels and predictions."""

from __future__ import annotations

from typing import Any

from kerac.eager import on_arrays_too
from kerac.ir import Value, ops
from kerac.losses import classification, regression
from kerac.losses.functions import EPSILON, divide_no_nan, mean, prepared, total
from kerac.metrics import accuracy
from kerac.metrics.base import FunctionMetric, State, add_mean, weight_of


def _define(class_name: str, name: str, function: Any, **arguments: tuple[Any, Any]) -> Any:
    """A class with fields (kind, default) for the function's arguments.

    Name and dtype come first where Keras has them first.
    """
    annotations = {"name": str | None, "dtype": str | None}
    annotations |= {key: kind for key, (kind, _) in arguments.items()}
    attributes: dict[str, Any] = {
        "__annotations__": annotations,
        "__doc__": f"The mean of {function.__name__}: {function.__doc__}",
        "__module__": __name__,
        "function": staticmethod(function),
        "name": name,
        "dtype": "float32",
    }
    attributes |= {key: default for key, (_, default) in arguments.items()}
    return type(class_name, (FunctionMetric,), attributes)


@on_arrays_too(2)
def cosine_similarity(y_true: Value, y_pred: Value, axis: int = -1) -> Value:
    """The cosine of the angle between both."""
    y_true, y_pred = prepared(y_true, y_pred)
    return total(regression.unit(y_true, axis) * regression.unit(y_pred, axis), axis)


@on_arrays_too(2)
def pearson_correlation(y_true: Value, y_pred: Value, axis: int = -1) -> Value:
    """The covariance by both standard deviations."""
    parts = []
    for y in prepared(y_true, y_pred):
        centered = y - mean(y, axis, keepdims=True)
        deviation = ops.Sqrt()(_variance(centered, axis))
        parts.append(centered / deviation)
    return mean(parts[0] * parts[1], axis)


@on_arrays_too(2)
def concordance_correlation(y_true: Value, y_pred: Value, axis: int = -1) -> Value:
    """How near both are to the line of equal numbers, as Keras computes it."""
    y_true, y_pred = prepared(y_true, y_pred)
    true_mean, pred_mean = (mean(y, axis, keepdims=True) for y in (y_true, y_pred))
    covariance = (y_true - pred_mean) * (y_pred - pred_mean)
    norm = _variance(y_true, axis) + _variance(y_pred, axis)
    norm = norm + ops.Square()(true_mean - pred_mean)
    return mean(2.0 * covariance / (norm + EPSILON), axis)


def _variance(x: Value, axis: int) -> Value:
    return mean(ops.Square()(x - mean(x, axis, keepdims=True)), axis, keepdims=True)


LOGITS = {"from_logits": (bool, False), "label_smoothing": (float, 0.0)}
AXIS = {"axis": (int, -1)}

Accuracy = _define("Accuracy", "accuracy", accuracy.accuracy)
BinaryAccuracy = _define(
    "BinaryAccuracy", "binary_accuracy", accuracy.binary_accuracy, threshold=(float, 0.5)
)
CategoricalAccuracy = _define(
    "CategoricalAccuracy", "categorical_accuracy", accuracy.categorical_accuracy
)
SparseCategoricalAccuracy = _define(
    "SparseCategoricalAccuracy", "sparse_categorical_accuracy", accuracy.sparse_categorical_accuracy
)


class TopKCategoricalAccuracy(FunctionMetric):
    """How often the label in one-hot code is among the k largest predictions."""

    function = staticmethod(accuracy.top_k_categorical_accuracy)
    k: int = 5
    name: str | None = "top_k_categorical_accuracy"
    dtype: str | None = "float32"


class SparseTopKCategoricalAccuracy(FunctionMetric):
    """How often the label is among the k largest predictions."""

    rarely_written = frozenset({"from_sorted_ids"})
    function = staticmethod(accuracy.sparse_top_k_categorical_accuracy)
    k: int = 5
    name: str | None = "sparse_top_k_categorical_accuracy"
    dtype: str | None = "float32"
    from_sorted_ids: bool = False


MeanSquaredError = _define("MeanSquaredError", "mean_squared_error", regression.mean_squared_error)
MeanAbsoluteError = _define(
    "MeanAbsoluteError", "mean_absolute_error", regression.mean_absolute_error
)
MeanAbsolutePercentageError = _define(
    "MeanAbsolutePercentageError",
    "mean_absolute_percentage_error",
    regression.mean_absolute_percentage_error,
)
MeanSquaredLogarithmicError = _define(
    "MeanSquaredLogarithmicError",
    "mean_squared_logarithmic_error",
    regression.mean_squared_logarithmic_error,
)
LogCoshError = _define("LogCoshError", "logcosh", regression.log_cosh)
CosineSimilarity = _define("CosineSimilarity", "cosine_similarity", cosine_similarity, **AXIS)
Hinge = _define("Hinge", "hinge", regression.hinge)
SquaredHinge = _define("SquaredHinge", "squared_hinge", regression.squared_hinge)
CategoricalHinge = _define("CategoricalHinge", "categorical_hinge", regression.categorical_hinge)
KLDivergence = _define("KLDivergence", "kl_divergence", regression.kl_divergence)
Poisson = _define("Poisson", "poisson", regression.poisson)
BinaryCrossentropy = _define(
    "BinaryCrossentropy", "binary_crossentropy", classification.binary_crossentropy, **LOGITS
)
CategoricalCrossentropy = _define(
    "CategoricalCrossentropy",
    "categorical_crossentropy",
    classification.categorical_crossentropy,
    **LOGITS,
    **AXIS,
)
SparseCategoricalCrossentropy = _define(
    "SparseCategoricalCrossentropy",
    "sparse_categorical_crossentropy",
    classification.sparse_categorical_crossentropy,
    from_logits=(bool, False),
    ignore_class=(int | None, None),
    **AXIS,
)
PearsonCorrelation = _define(
    "PearsonCorrelation", "pearson_correlation", pearson_correlation, **AXIS
)
ConcordanceCorrelation = _define(
    "ConcordanceCorrelation", "concordance_correlation", concordance_correlation, **AXIS
)


class RootMeanSquaredError(FunctionMetric):
    """The root of the mean of (y_true - y_pred) ** 2."""

    name: str | None = "root_mean_squared_error"
    dtype: str | None = "float32"

    def update(  # type: ignore[override]
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        y_true, y_pred = prepared(y_true, y_pred)
        return add_mean(state, ops.Square()(y_pred - y_true), weight_of(sample_weight, mask))

    def value(self, state: State) -> Value:
        return ops.Sqrt()(divide_no_nan(state[0], state[1]))
