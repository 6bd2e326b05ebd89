"""Counts of right and wrong answers at thresholds, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, InternalError, ShapeError
from kerac.losses.base import as_float
from kerac.losses.functions import (
    clip,
    divide_no_nan,
    expanded,
    largest,
    number,
    numbered,
    same_rank,
    total,
)
from kerac.metrics.base import Metric, State, weight_of

NEVER = -1e10
TRUE_POSITIVES, FALSE_POSITIVES = "true_positives", "false_positives"
TRUE_NEGATIVES, FALSE_NEGATIVES = "true_negatives", "false_negatives"
ALL = (TRUE_POSITIVES, FALSE_POSITIVES, TRUE_NEGATIVES, FALSE_NEGATIVES)
Thresholds = float | list[float] | None


def counts(
    names: tuple[str, ...],
    y_true: Value,
    y_pred: Value,
    thresholds: list[float],
    weight: Value | None,
    *,
    top_k: int | None = None,
    class_id: int | None = None,
    multi_label: bool = False,
    label_weights: list[float] | None = None,
) -> list[Value]:
    """Weighted counts by name, one for each threshold, or for each threshold and label."""
    y_pred, y_true = same_rank(as_float(y_pred), as_float(y_true))
    weights = ops.broadcast_to(ops.constant(1.0, "f32"), y_pred.shape)
    if weight is not None:
        _, weight = same_rank(y_true, expanded(weight), expand=False)
    if top_k is not None:
        y_pred = _only_top(y_pred, top_k)
    if class_id is not None:
        if y_pred.ndim == 1:
            raise ShapeError(f"class_id is {class_id}, but predictions are {y_pred.type}")
        last = y_pred.ndim - 1
        y_true, y_pred, weights = (
            ops.slice_axis(x, last, class_id, class_id + 1) for x in (y_true, y_pred, weights)
        )
    if weight is not None:
        weights = weights * weight
    if label_weights is not None:
        weights = weights * ops.constant(np.asarray(label_weights), "f32")
    right = number(ops.NotEqual()(y_true, ops.constant(0.0, "f32")))
    if multi_label:
        parts = [expanded(x, 0) for x in (y_pred, right, weights)]
        shape: tuple[int, ...] = (len(thresholds), 1, 1)
    else:
        size = _product(y_pred.shape)
        parts = [ops.reshape(x, (1, size)) for x in (y_pred, right, weights)]
        shape = (len(thresholds), 1)
    return _tables(names, parts, _above(parts[0], thresholds, shape))


def _tables(names: tuple[str, ...], parts: list[Value], above: Value) -> list[Value]:
    _, right, weights = parts
    both = {
        TRUE_POSITIVES: (right, above),
        FALSE_POSITIVES: (1.0 - right, above),
        TRUE_NEGATIVES: (1.0 - right, 1.0 - above),
        FALSE_NEGATIVES: (right, 1.0 - above),
    }
    return [total(both[name][0] * weights * both[name][1], 1) for name in names]


def _above(y_pred: Value, thresholds: list[float], shape: tuple[int, ...]) -> Value:
    """1 where predictions lie above thresholds; evenly spaced ones are counted in steps."""
    if not evenly_spaced(thresholds):
        return number(y_pred > ops.constant(np.asarray(thresholds).reshape(shape), "f32"))
    steps = len(thresholds) - 1
    limits = np.arange(len(thresholds), dtype=np.float32)
    if thresholds[0] < 0 or thresholds[-1] > 1:
        limits[0] = -1  # everything lies above the first
    return number(clip(y_pred, 0.0, 1.0) * float(steps) > ops.constant(limits.reshape(shape)))


def evenly_spaced(thresholds: list[float]) -> bool:
    """Whether thresholds go from 0 to 1 in equal steps."""
    count = len(thresholds)
    if count < 3:
        return False
    return bool(np.allclose(thresholds, np.arange(count) / (count - 1), atol=1e-7))


def _only_top(x: Value, k: int) -> Value:
    """The k largest along the last axis; others become very small."""
    length = x.shape[-1]
    one, other = expanded(x, -1), expanded(x, -2)  # [..., i, 1], [..., 1, j]
    earlier = numbered(length, -1, x.ndim + 1) < numbered(length, -2, x.ndim + 1)
    before = (other > one) | (ops.Equal()(other, one) & earlier)
    kept = total(number(before), -1) < k
    return ops.select(kept, x, ops.constant(NEVER, "f32"))


def _product(dims: tuple[Any, ...]) -> Any:
    result: Any = 1
    for dim in dims:
        result = dim * result
    return result


class Counted(Metric, keyword_only=True):
    """Base of metrics whose state is counts at thresholds."""

    names: ClassVar[tuple[str, ...]] = ALL

    def cuts(self) -> list[float]:
        """The thresholds."""
        raise InternalError(f"{type(self).__name__} has no thresholds")

    def states(self, y_true: Any, y_pred: Any) -> Mapping[str, Any]:
        return dict.fromkeys(self.names, (len(self.cuts()),))

    def update(
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        weight = weight_of(sample_weight, mask)
        top_k, class_id = (getattr(self, name, None) for name in ("top_k", "class_id"))
        new = counts(
            self.names, y_true, y_pred, self.cuts(), weight, top_k=top_k, class_id=class_id
        )
        return [old + more for old, more in zip(state, new, strict=True)]


def parsed(thresholds: Thresholds, default: float) -> list[float]:
    """Thresholds as a list, each in [0, 1]."""
    if thresholds is None:
        return [default]
    found = thresholds if isinstance(thresholds, list) else [thresholds]
    wrong = [x for x in found if not 0 <= x <= 1]
    if wrong:
        raise CompileError(f"thresholds must be in [0, 1], but are {wrong}")
    return found


class _Count(Counted):
    """Base: one of the four counts."""

    thresholds: Thresholds = None
    name: str | None = None
    dtype: str | None = "float32"

    def cuts(self) -> list[float]:
        return parsed(self.thresholds, 0.5)

    def value(self, state: State) -> Value:
        return single(state[0])


def single(x: Value) -> Value:
    """The only element where there is one."""
    return ops.reshape(x, ()) if x.shape == (1,) else x


class TruePositives(_Count):
    """How many are found."""

    names = (TRUE_POSITIVES,)


class FalsePositives(_Count):
    """How many are found that should not be."""

    names = (FALSE_POSITIVES,)


class TrueNegatives(_Count):
    """How many are left aside."""

    names = (TRUE_NEGATIVES,)


class FalseNegatives(_Count):
    """How many are missed."""

    names = (FALSE_NEGATIVES,)


class Precision(Counted):
    """How many of what is found are right."""

    names = (TRUE_POSITIVES, FALSE_POSITIVES)
    thresholds: Thresholds = None
    top_k: int | None = None
    class_id: int | None = None
    name: str | None = None
    dtype: str | None = "float32"

    def cuts(self) -> list[float]:
        return parsed(self.thresholds, 0.5 if self.top_k is None else NEVER)

    def value(self, state: State) -> Value:
        return single(divide_no_nan(state[0], state[0] + state[1]))


class Recall(Precision):
    """How many of what is right are found."""

    names = (TRUE_POSITIVES, FALSE_NEGATIVES)


def evenly(count: int) -> list[float]:
    """Thresholds from 0 to 1 in equal steps."""
    return [0.5] if count == 1 else [i / (count - 1) for i in range(count)]


class _AtLeast(Counted):
    """Base: the best of one rate where another one, the field `goal`, has a given value."""

    goal: ClassVar[str]
    num_thresholds: int = 200
    class_id: int | None = None
    name: str | None = None
    dtype: str | None = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        goal = getattr(self, self.goal)
        if not 0 <= goal <= 1:
            raise CompileError(
                f"{type(self).__name__}: {self.goal} is {goal}, but must be in [0, 1]"
            )
        if self.num_thresholds <= 0:
            raise CompileError(
                f"{type(self).__name__}: num_thresholds is {self.num_thresholds}, "
                "but must be positive"
            )

    def cuts(self) -> list[float]:
        return evenly(self.num_thresholds)

    def best(self, rate: str, state: State) -> Value:
        """The largest `rate` where the goal is reached, or 0."""
        rates = rates_of(state)
        reached = rates[self.goal] >= getattr(self, self.goal)
        return largest(ops.select(reached, rates[rate], ops.constant(0.0, "f32")))


def rates_of(state: State) -> dict[str, Value]:
    """Shares by name, from the four counts."""
    tp, fp, tn, fn = state
    return {
        "sensitivity": divide_no_nan(tp, tp + fn),
        "specificity": divide_no_nan(tn, tn + fp),
        "precision": divide_no_nan(tp, tp + fp),
        "recall": divide_no_nan(tp, tp + fn),
    }


class SensitivityAtSpecificity(_AtLeast):
    """The best sensitivity where the specificity is at least as given."""

    goal = "specificity"
    specificity: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: str | None = None
    dtype: str | None = "float32"

    def value(self, state: State) -> Value:
        return self.best("sensitivity", state)


class SpecificityAtSensitivity(_AtLeast):
    """The best specificity where the sensitivity is at least as given."""

    goal = "sensitivity"
    sensitivity: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: str | None = None
    dtype: str | None = "float32"

    def value(self, state: State) -> Value:
        return self.best("specificity", state)


class PrecisionAtRecall(_AtLeast):
    """The best precision where the recall is at least as given."""

    goal = "recall"
    recall: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: str | None = None
    dtype: str | None = "float32"

    def value(self, state: State) -> Value:
        return self.best("precision", state)


class RecallAtPrecision(_AtLeast):
    """The best recall where the precision is at least as given."""

    goal = "precision"
    precision: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: str | None = None
    dtype: str | None = "float32"

    def value(self, state: State) -> Value:
        return self.best("recall", state)
