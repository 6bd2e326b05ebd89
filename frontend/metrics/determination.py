"""How much of the variance of labels predictions explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.losses.functions import expanded, mean, prepared, size, total
from kerac.metrics.base import Metric, State, weight_of

LARGEST = 3.4028234e38


class R2Score(Metric):
    """1 - squared errors by squared deviations from the mean, one for each output or averaged."""

    class_aggregation: Literal["uniform_average", "variance_weighted_average"] | None = (
        "uniform_average"
    )
    num_regressors: int = 0
    name: str | None = "r2_score"
    dtype: str | None = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_regressors < 0:
            raise CompileError(
                f"R2Score: num_regressors is {self.num_regressors}, but must not be negative"
            )

    def states(self, y_true: Any, y_pred: Any) -> Mapping[str, Any]:
        if y_pred is None or y_pred.ndim != 2 or not isinstance(y_pred.shape[1], int):
            raise ShapeError(f"R2Score: needs predictions [N, C], but they are {y_pred}")
        names = ("squared_sum", "sum", "residual", "count")
        return {"num_samples": (), **dict.fromkeys(names, y_pred.shape[1:])}

    def update(
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        y_true, y_pred = prepared(y_true, y_pred)
        weight = weight_of(sample_weight, mask)
        if weight is None:
            weight = ops.constant(1.0, "f32")
        weight = expanded(weight) if weight.ndim == 1 else weight
        weight = ops.broadcast_to(weight, y_true.shape)
        weighted = y_true * weight
        new = [size(y_true)]
        new += [total(x, 0) for x in (y_true * weighted, weighted)]
        new += [total(ops.Square()(y_true - y_pred) * weight, 0), total(weight, 0)]
        return [old + more for old, more in zip(state, new, strict=True)]

    def value(self, state: State) -> Value:
        samples, squares, sums, residual, count = state
        variance = squares - sums * (sums / count)
        scores = 1.0 - residual / variance
        infinite = abs(scores) > LARGEST
        scores = ops.select(infinite, ops.constant(0.0, "f32"), scores)
        if self.class_aggregation == "uniform_average":
            scores = mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = total(variance * scores) / total(variance)
        if not self.num_regressors:
            return scores
        free = samples - float(self.num_regressors) - 1.0
        adjusted = 1.0 - (1.0 - scores) * (samples - 1.0) / free
        return ops.select(free > 0, adjusted, scores)
