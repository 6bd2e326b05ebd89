"""How sets of labels and predictions overlap: F scores and intersections over unions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.losses.base import as_float
from kerac.losses.functions import EPSILON, expanded, largest, mean, number, one_hot, total
from kerac.metrics.accuracy import argmax
from kerac.metrics.base import Metric, State, weight_of


class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall, for each class or averaged."""

    average: Literal["micro", "macro", "weighted"] | None = None
    beta: float = 1.0
    threshold: float | None = None
    name: str | None = "fbeta_score"
    dtype: str | None = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta <= 0:
            raise CompileError(f"{type(self).__name__}: beta is {self.beta}, but must be positive")
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise CompileError(
                f"{type(self).__name__}: threshold is {self.threshold}, but must be in (0, 1]"
            )

    def states(self, y_true: Any, y_pred: Any) -> Mapping[str, Any]:
        if y_pred is None or y_pred.ndim != 2 or not isinstance(y_pred.shape[1], int):
            raise ShapeError(
                f"{type(self).__name__}: needs predictions [N, C], but they are {y_pred}"
            )
        shape = () if self.average == "micro" else y_pred.shape[1:]
        names = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")
        return dict.fromkeys(names, shape)

    def update(
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        y_true, y_pred = as_float(y_true), as_float(y_pred)
        if self.threshold is None:
            found = (y_pred >= largest(y_pred, -1, keepdims=True)) & (abs(y_pred) > 1e-9)
        else:
            found = y_pred > self.threshold
        found = number(found)
        weight = weight_of(sample_weight, mask)
        axis = None if self.average == "micro" else 0
        new = [
            total(x if weight is None else x * expanded(weight), axis)
            for x in (found * y_true, found * (1.0 - y_true), (1.0 - found) * y_true, y_true)
        ]
        return [old + more for old, more in zip(state, new, strict=True)]

    def value(self, state: State) -> Value:
        right, wrong, missed, weights = state
        precision, recall = (right / (right + other + EPSILON) for other in (wrong, missed))
        square = self.beta**2
        score = precision * recall / (square * precision + recall + EPSILON) * (1 + square)
        if self.average == "weighted":
            return total(score * weights / (total(weights) + EPSILON))
        return score if self.average is None else mean(score)


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall."""

    rarely_written: ClassVar[frozenset[str]] = frozenset({"beta"})
    average: Literal["micro", "macro", "weighted"] | None = None
    threshold: float | None = None
    name: str | None = "f1_score"
    dtype: str | None = "float32"
    beta: float = 1.0


class _Overlap(Metric, keyword_only=True):
    """Base: the mean intersection over union of some classes, from the matrix of confusions."""

    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1
    ignore_class: int | None = None
    dtype: str | None = "int32"

    def label_classes(self, shape: Any) -> Any:
        return self.classes() if self.sparse_y_true else None

    def classes(self) -> int:
        """The number of classes."""
        return int(getattr(self, "num_classes"))  # noqa: B009 - a field of subclasses

    def targets(self) -> list[int]:
        """The classes that count."""
        found: list[int] | None = getattr(self, "target_class_ids", None)
        return list(range(self.classes())) if found is None else list(found)

    def __post_init__(self) -> None:
        super().__post_init__()
        if max(self.targets()) >= self.classes():
            raise CompileError(
                f"{type(self).__name__}: there are {self.classes()} classes, "
                f"but target_class_ids are {self.targets()}"
            )

    def states(self, y_true: Any, y_pred: Any) -> Mapping[str, Any]:
        return {"total_confusion_matrix": (self.classes(), self.classes())}

    def update(
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        y_true = y_true if self.sparse_y_true else argmax(y_true, self.axis)
        y_pred = y_pred if self.sparse_y_pred else argmax(y_pred, self.axis)
        true, pred = (one_hot(_flat(y), self.classes()) for y in (y_true, y_pred))
        weight = weight_of(sample_weight, mask)
        if weight is not None:
            # whole weights, as Keras counts in integers
            whole = ops.cast(ops.cast(_flat(weight), "i32"), "f32")
            pred = pred * expanded(whole)
        if self.ignore_class is not None:
            ignored = ops.constant(self.ignore_class, "i32")
            kept = ops.NotEqual()(ops.cast(_flat(y_true), "i32"), ignored)
            pred = pred * expanded(number(kept))
        return [state[0] + ops.Matmul()(ops.transpose(true, (1, 0)), pred)]

    def value(self, state: State) -> Value:
        matrix = state[0]
        right = total(matrix * ops.constant(np.eye(self.classes()), "f32"), 0)
        union = total(matrix, 0) + total(matrix, 1) - right
        chosen = np.bincount(self.targets(), minlength=self.classes())
        valid = number(union > 1e-9) * ops.constant(chosen, "f32")
        return total(right / (union + EPSILON) * valid) / (total(valid) + EPSILON)


def _flat(x: Value) -> Value:
    size: Any = 1
    for dim in x.shape:
        size = dim * size
    return ops.reshape(x, (size,))


class IoU(_Overlap):
    """Intersection over union of the target classes."""

    num_classes: int
    target_class_ids: list[int]
    name: str | None = None
    dtype: str | None = "int32"
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1


class BinaryIoU(_Overlap):
    """Intersection over union of what lies above and below a threshold."""

    rarely_written: ClassVar[frozenset[str]] = frozenset(
        {"ignore_class", "sparse_y_true", "sparse_y_pred", "axis"}
    )
    num_classes: ClassVar[int] = 2
    target_class_ids: list[int] = [0, 1]  # noqa: RUF012 - a field, never written to
    threshold: float = 0.5
    name: str | None = None
    dtype: str | None = "int32"

    def update(
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        found = number(as_float(y_pred) >= self.threshold)
        return super().update(state, y_true, found, sample_weight, mask)


class MeanIoU(_Overlap):
    """The mean intersection over union of all classes."""

    num_classes: int
    name: str | None = None
    dtype: str | None = "int32"
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1


class OneHotIoU(_Overlap):
    """Intersection over union of the target classes, labels in one-hot code."""

    rarely_written: ClassVar[frozenset[str]] = frozenset({"sparse_y_true"})
    num_classes: int
    target_class_ids: list[int]
    name: str | None = None
    dtype: str | None = "int32"
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1
    sparse_y_true: bool = False


class OneHotMeanIoU(_Overlap):
    """The mean intersection over union of all classes, labels in one-hot code."""

    rarely_written: ClassVar[frozenset[str]] = frozenset({"sparse_y_true"})
    num_classes: int
    name: str | None = None
    dtype: str | None = "int32"
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1
    sparse_y_true: bool = False
