"""The losses of Keras as classes; each names its function, whose arguments are its fields."""

from __future__ import annotations

from typing import Any, ClassVar

from kerac.ir import TensorType, Value
from kerac.ir.errors import CompileError
from kerac.losses import classification, overlap, regression, sequences
from kerac.losses.base import FunctionLoss

Axes = int | tuple[int, ...] | None


class MeanSquaredError(FunctionLoss, keyword_only=True):
    """mean((y_true - y_pred) ** 2)."""

    function = staticmethod(regression.mean_squared_error)
    name: str | None = "mean_squared_error"


class MeanAbsoluteError(FunctionLoss, keyword_only=True):
    """mean(|y_true - y_pred|)."""

    function = staticmethod(regression.mean_absolute_error)
    name: str | None = "mean_absolute_error"


class MeanAbsolutePercentageError(FunctionLoss, keyword_only=True):
    """100 * mean(|y_true - y_pred| / |y_true|)."""

    function = staticmethod(regression.mean_absolute_percentage_error)
    name: str | None = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(FunctionLoss, keyword_only=True):
    """mean((log(y_true + 1) - log(y_pred + 1)) ** 2)."""

    function = staticmethod(regression.mean_squared_logarithmic_error)
    name: str | None = "mean_squared_logarithmic_error"


class CosineSimilarity(FunctionLoss):
    """The negative cosine of the angle between labels and predictions."""

    # Keras does not write it
    rarely_written: ClassVar[frozenset[str]] = frozenset({"dtype", "axis"})
    function = staticmethod(regression.cosine_similarity)
    axis: int = -1
    name: str | None = "cosine_similarity"


class Huber(FunctionLoss):
    """Half the square up to `delta`, then a line."""

    # Keras does not write it
    rarely_written: ClassVar[frozenset[str]] = frozenset({"dtype", "delta"})
    function = staticmethod(regression.huber)
    delta: float = 1.0
    name: str | None = "huber_loss"


class LogCosh(FunctionLoss, keyword_only=True):
    """mean(log(cosh(y_pred - y_true)))."""

    function = staticmethod(regression.log_cosh)
    name: str | None = "log_cosh"


class Hinge(FunctionLoss, keyword_only=True):
    """mean(max(1 - y_true * y_pred, 0)), labels -1 and 1 or 0 and 1."""

    function = staticmethod(regression.hinge)
    name: str | None = "hinge"


class SquaredHinge(FunctionLoss, keyword_only=True):
    """mean(max(1 - y_true * y_pred, 0) ** 2)."""

    function = staticmethod(regression.squared_hinge)
    name: str | None = "squared_hinge"


class CategoricalHinge(FunctionLoss, keyword_only=True):
    """The best wrong class against the right one."""

    function = staticmethod(regression.categorical_hinge)
    name: str | None = "categorical_hinge"


class KLDivergence(FunctionLoss, keyword_only=True):
    """sum(y_true * log(y_true / y_pred))."""

    function = staticmethod(regression.kl_divergence)
    name: str | None = "kl_divergence"


class Poisson(FunctionLoss, keyword_only=True):
    """mean(y_pred - y_true * log(y_pred))."""

    function = staticmethod(regression.poisson)
    name: str | None = "poisson"


class BinaryCrossentropy(FunctionLoss):
    """The mean of -log of the probability of the right one of two classes."""

    function = staticmethod(classification.binary_crossentropy)
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    name: str | None = "binary_crossentropy"


class BinaryFocalCrossentropy(FunctionLoss):
    """Binary cross-entropy in which easy samples count less."""

    function = staticmethod(classification.binary_focal_crossentropy)
    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    name: str | None = "binary_focal_crossentropy"


class CategoricalCrossentropy(FunctionLoss):
    """-sum(y_true * log(y_pred)), labels in one-hot code."""

    function = staticmethod(classification.categorical_crossentropy)
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    name: str | None = "categorical_crossentropy"


class CategoricalFocalCrossentropy(FunctionLoss):
    """Cross-entropy in which easy samples count less."""

    function = staticmethod(classification.categorical_focal_crossentropy)
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    name: str | None = "categorical_focal_crossentropy"


class SparseCategoricalCrossentropy(FunctionLoss):
    """-log of the probability of the label, which is a number."""

    function = staticmethod(classification.sparse_categorical_crossentropy)
    # unknown to older versions of Keras
    rarely_written: ClassVar[frozenset[str]] = frozenset({"dtype", "axis"})
    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1
    name: str | None = "sparse_categorical_crossentropy"

    @classmethod
    def label_type(cls, y_pred: TensorType) -> TensorType:
        return TensorType("i32", y_pred.shape[:-1])

    @staticmethod
    def label_classes(loss: Any, shape: Any) -> Any:
        return shape[getattr(loss, "axis", -1)] if shape else None

    def valid(self, y_true: Value, y_pred: Value, losses: Value) -> Value | None:
        return classification.valid_labels(y_true, y_pred, self.ignore_class, self.axis)


class CategoricalGeneralizedCrossEntropy(FunctionLoss):
    """(1 - p ** q) / q, p the probability of the label."""

    function = staticmethod(classification.categorical_generalized_cross_entropy)
    q: float = 0.5
    name: str | None = "categorical_generalized_cross_entropy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.q < 1:
            raise CompileError(f"{type(self).__name__}: q is {self.q}, but must be in (0, 1)")


class Dice(FunctionLoss):
    """1 - twice what is common by the sizes of both."""

    function = staticmethod(overlap.dice)
    name: str | None = "dice"
    axis: Axes = None


class Tversky(FunctionLoss):
    """1 - what is common by itself and the weighted rests of both."""

    function = staticmethod(overlap.tversky)
    alpha: float = 0.5
    beta: float = 0.5
    name: str | None = "tversky"
    axis: Axes = None


class Circle(FunctionLoss):
    """Embeddings of a label near each other, those of others far away."""

    function = staticmethod(overlap.circle)
    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True
    name: str | None = "circle"

    def call(self, y_true: Value, y_pred: Value) -> Any:
        arguments = {"gamma": self.gamma, "margin": self.margin}
        return overlap.circle(y_true, y_pred, None, None, self.remove_diagonal, **arguments)

    def valid(self, y_true: Value, y_pred: Value, losses: Value) -> Value | None:
        return losses > 0


class CTC(FunctionLoss, keyword_only=True):
    """Labels of a sequence whose places are not known."""

    function = staticmethod(sequences.ctc)
    name: str | None = "ctc"
