"""What all losses share: weights of samples, masks, and how many losses become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from kerac.configured import Configured, fields
from kerac.eager import evaluate
from kerac.ir import TensorType, Value, ops
from kerac.ir.errors import UnsupportedError
from kerac.losses.functions import (
    divide_no_nan,
    mean,
    number,
    same_rank,
    size,
    total,
)
from kerac.names import automatic_name

Reduction = Literal["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"] | None


class Loss(Configured, keyword_only=True):
    """Base: labels and predictions to one number, or to one for each sample.

    A subclass states the losses of samples in `call`. On values of a graph a value comes back, on
    arrays an array. `mask` is that of the predictions.
    """

    module: ClassVar[str] = "keras.losses"
    rarely_written: ClassVar[frozenset[str]] = frozenset({"dtype"})

    reduction: Reduction = "sum_over_batch_size"
    name: str | None = None
    dtype: str | None = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("reduction") == "auto":
            del arguments["reduction"]
        return arguments

    def __post_init__(self) -> None:
        self.name = self.name or automatic_name(type(self).__name__)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The losses of samples."""
        raise UnsupportedError(f"{type(self).__name__} does not say what it computes")

    @classmethod
    def label_type(cls, y_pred: TensorType) -> TensorType:
        """The type of labels for predictions of a type, where nobody says another."""
        return y_pred.with_dtype("f32")

    @staticmethod
    def label_classes(loss: Any, shape: Any) -> Any:
        """How many classes labels number, for predictions of a shape; None where they do not.

        `loss` is one of this class, or wraps its function.
        """
        del loss, shape

    def valid(self, y_true: Value, y_pred: Value, losses: Value) -> Value | None:
        """Which of the losses count, bool; None where all do."""
        return None

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> Any:
        if not any(isinstance(x, Value) for x in (y_true, y_pred)):
            return evaluate(self.__call__, [y_true, y_pred, sample_weight, mask])
        y_true, y_pred = as_float(y_true), as_float(y_pred)
        losses = as_float(self.call(y_true, y_pred))
        own = self.valid(y_true, y_pred, losses)
        if mask is not None and own is not None:
            mask = as_bool(mask) & own
        mask = own if mask is None else mask
        return reduce_weighted(losses, sample_weight, mask, self.reduction)


def as_float(x: Any) -> Value:
    """A value or an array as f32 in a graph."""
    return ops.cast(x, "f32") if isinstance(x, Value) else ops.constant(x, "f32")


def as_bool(mask: Value) -> Value:
    """A mask, whatever its dtype."""
    return mask if mask.dtype == "bool" else ops.NotEqual()(mask, ops.constant(0, mask.dtype))


def reduce_weighted(
    losses: Value, sample_weight: Any, mask: Value | None, reduction: Reduction
) -> Value:
    """The losses times the weights of what the mask leaves, made one as `reduction` says."""
    weight = None if sample_weight is None else as_float(sample_weight)
    if mask is not None:
        weight = masked(weight, mask, reduction)
    if weight is not None:
        losses, weight = same_rank(losses, weight)
        losses = losses * weight
    if reduction in (None, "none") or not losses.ndim:
        return losses
    if reduction == "sum":
        return total(losses)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return divide_no_nan(total(losses), total(weight))
    return mean(losses)


def masked(weight: Value | None, mask: Value, reduction: Reduction) -> Value:
    """Weights that are 0 where the mask is; for means the others grow by as much."""
    kept = number(as_bool(mask))
    if reduction in ("mean", "sum_over_batch_size"):
        kept = kept * divide_no_nan(size(mask), total(kept))
    if weight is None:
        return kept
    kept, weight = same_rank(kept, weight)
    return weight * kept


class LossFunctionWrapper(Loss):
    """A function of labels and predictions as a loss; further arguments go to it."""

    fn: Any

    def __init__(self, fn: Callable[..., Any], **kwargs: Any) -> None:
        known = fields(type(self))
        self._arguments = {k: v for k, v in kwargs.items() if k not in known}
        super().__init__(fn, **{k: v for k, v in kwargs.items() if k in known})

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(*same_rank(y_true, y_pred), **self._arguments)

    def get_config(self) -> dict[str, Any]:
        from kerac.losses import serialize

        return super().get_config() | {"fn": serialize(self.fn)} | self._arguments


class FunctionLoss(Loss, keyword_only=True):
    """Base of the losses that are a function whose arguments are their fields."""

    function: ClassVar[Callable[..., Any]]

    def call(self, y_true: Value, y_pred: Value) -> Value:
        own = fields(type(self)).keys() - fields(Loss).keys()
        arguments = {name: getattr(self, name) for name in own}
        result: Value = type(self).function(*same_rank(y_true, y_pred), **arguments)
        return result
