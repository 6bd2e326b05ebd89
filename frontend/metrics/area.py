"""The area under a curve of two rates over all thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.losses.base import as_float
from kerac.losses.functions import EPSILON, divide_no_nan, log, mean, total
from kerac.metrics.base import State, weight_of
from kerac.metrics.confusion import Counted, counts


class AUC(Counted):
    """The area under the curve `ROC`, `PR` or `PRGAIN`, by sums over `num_thresholds` pieces."""

    num_thresholds: int = 200
    curve: Literal["ROC", "PR", "PRGAIN"] = "ROC"
    summation_method: Literal["interpolation", "minoring", "majoring"] = "interpolation"
    name: str | None = None
    dtype: str | None = "float32"
    thresholds: list[float] | None = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: list[float] | None = None
    from_logits: bool = False

    rarely_written = frozenset({"thresholds"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.thresholds is not None:
            self.num_thresholds = len(self.thresholds) + 2
        if self.num_thresholds <= 1:
            raise CompileError(
                f"AUC: num_thresholds is {self.num_thresholds}, but must be 2 or more"
            )
        if self.num_labels and not self.multi_label:
            raise CompileError("AUC: num_labels is given, but multi_label is False")

    def cuts(self) -> list[float]:
        steps = self.num_thresholds - 1
        inner = self.thresholds
        middle = [i / steps for i in range(1, steps)] if inner is None else sorted(inner)
        return [-EPSILON, *middle, 1 + EPSILON]

    def states(self, y_true: Any, y_pred: Any) -> Mapping[str, Any]:
        shape: tuple[int, ...] = (self.num_thresholds,)
        if self.multi_label:
            labels = self.num_labels or (y_pred.shape[-1] if y_pred is not None else None)
            if not isinstance(labels, int):
                raise ShapeError("AUC: has many labels, but their number is not known")
            shape = (*shape, labels)
        return dict.fromkeys(self.names, shape)

    def update(
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        if self.multi_label and y_pred.ndim != 2:
            raise ShapeError(f"AUC: many labels need predictions [N, L], but got {y_pred.type}")
        y_pred = ops.Sigmoid()(as_float(y_pred)) if self.from_logits else y_pred
        new = counts(
            self.names,
            y_true,
            y_pred,
            self.cuts(),
            weight_of(sample_weight, mask),
            multi_label=self.multi_label,
            label_weights=None if self.multi_label else self.label_weights,
        )
        return [old + more for old, more in zip(state, new, strict=True)]

    def value(self, state: State) -> Value:
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._averaged(_precision_recall(state))
        x, y = _curve(self.curve, state)
        (x_left, x_right), (y_left, y_right) = _sides(x), _sides(y)
        heights = {
            "interpolation": (y_left + y_right) / 2.0,
            "minoring": ops.minimum(y_left, y_right),
            "majoring": ops.maximum(y_left, y_right),
        }[self.summation_method]
        return self._averaged((x_left - x_right) * heights)

    def _averaged(self, pieces: Value) -> Value:
        areas = total(pieces, 0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return mean(areas)
        weights = ops.constant(np.asarray(self.label_weights), "f32")
        return divide_no_nan(total(areas * weights), total(weights))


def _sides(x: Value) -> tuple[Value, Value]:
    """All but the last, and all but the first."""
    count = x.shape[0]
    return ops.slice_axis(x, 0, 0, count - 1), ops.slice_axis(x, 0, 1, count)


def _curve(curve: str, state: State) -> tuple[Value, Value]:
    tp, fp, tn, fn = state
    recall = divide_no_nan(tp, tp + fn)
    if curve == "ROC":
        return divide_no_nan(fp, fp + tn), recall
    if curve == "PR":
        return recall, divide_no_nan(tp, tp + fp)
    factor = divide_no_nan(tp + fn, tn + fp)
    none = ops.Equal()(tp, ops.constant(0.0, "f32"))
    recall_gain = 1.0 - factor * divide_no_nan(fn, tp)
    precision_gain = 1.0 - factor * divide_no_nan(fp, tp)
    recall_gain = ops.select(none, ops.constant(0.0, "f32"), recall_gain)
    precision_gain = ops.select(none, ops.constant(1.0, "f32"), precision_gain)
    return ops.maximum(recall_gain, 0.0), precision_gain


def _precision_recall(state: State) -> Value:
    """Davis and Goadrich, 2006: between thresholds true positives grow with all positives."""
    tp, fp, _, fn = state
    (tp_left, tp_right), (all_left, all_right) = _sides(tp), _sides(tp + fp)
    _, fn_right = _sides(fn)
    gain = tp_left - tp_right
    slope = divide_no_nan(gain, ops.maximum(all_left - all_right, 0.0))
    intercept = tp_right - slope * all_right
    usable = (all_left > 0) & (all_right > 0)
    ratio = divide_no_nan(all_left, ops.maximum(all_right, 0.0))
    ratio = ops.select(usable, ratio, ops.constant(1.0, "f32"))
    area = slope * (gain + intercept * log(ratio))
    return divide_no_nan(area, ops.maximum(tp_right + fn_right, 0.0))
