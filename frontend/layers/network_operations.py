"""Operations of Keras that networks are made of: activations, normalization, attention."""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar

from kerac import activations
from kerac.activations import axis_of
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError
from kerac.layers.array_operations import valued
from kerac.layers.base import as_float
from kerac.layers.masks import as_bool
from kerac.layers.merging import unit_length
from kerac.layers.operation import Operand, Operation
from kerac.layers.tensor_operations import AnyOperation, Axes, axes_of

EPSILON = 1e-7  # Keras's `backend.epsilon()`


class _Activation(Operation):
    """Base: an activation with arguments, by the name of Keras's function."""

    module: ClassVar[str] = "keras.src.ops.nn"
    function: ClassVar[str]

    def call(self, x: Value) -> Any:
        arguments = {key: value for key, value in self.get_config().items() if key != "name"}
        return activations.get(self.function)(as_float(x), **arguments)


class GeluOperation(_Activation):
    """x * Phi(x)."""

    function = "gelu"
    approximate: bool = True


class LeakyReluOperation(_Activation):
    """x, or a part of it below 0."""

    function = "leaky_relu"
    negative_slope: float = 0.2


class EluOperation(_Activation):
    """x, or alpha * (exp(x) - 1) below 0."""

    function = "elu"
    alpha: float = 1.0


class CeluOperation(_Activation):
    """ELU with a continuous slope."""

    function = "celu"
    alpha: float = 1.0


class GluOperation(_Activation):
    """One half along an axis times the sigmoid of the other."""

    function = "glu"
    axis: int = -1


class SoftmaxOperation(_Activation):
    """exp(x) / sum(exp(x))."""

    function = "softmax"
    axis: Axes = -1


class LogSoftmaxOperation(_Activation):
    """log(softmax(x))."""

    function = "log_softmax"
    axis: Axes = -1


class LogsumexpOperation(Operation):
    """log(sum(exp(x))), without overflow."""

    module: ClassVar[str] = "keras.src.ops.math"

    axis: Axes = None
    keepdims: bool = False

    def call(self, x: Value) -> Any:
        x = as_float(x)
        axes = axes_of(self.axis, x)
        top = ops.reduce_max(x, axes, keepdims=True)
        total = ops.reduce_sum(ops.Exp()(ops.subtract(x, top)), axes, keepdims=True)
        result = ops.add(ops.Log()(total), top)
        kept = tuple(length for axis, length in enumerate(x.shape) if axis not in axes)
        return result if self.keepdims else ops.reshape(result, kept)


class VarOperation(Operation):
    """The mean square of the distance from the mean."""

    axis: Axes = None
    keepdims: bool = False

    def call(self, x: Value) -> Any:
        x = as_float(x)
        axes = axes_of(self.axis, x)
        centred = ops.subtract(x, ops.reduce_mean(x, axes, keepdims=True))
        return ops.reduce_mean(ops.Square()(centred), axes, self.keepdims)


class StdOperation(VarOperation):
    """The square root of the variance."""

    def call(self, x: Value) -> Any:
        return ops.Sqrt()(super().call(x))


class ProdOperation(Operation):
    """Product along axes."""

    axis: Axes = None
    keepdims: bool = False
    dtype: None = None

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return super()._by_name(args, kwargs) | {"dtype": None}

    def call(self, x: Value) -> Any:
        return ops.ReduceProduct(axes_of(self.axis, x), self.keepdims)(as_float(x))


class AmaxOperation(Operation):
    """Largest element along axes."""

    axis: Axes = None
    keepdims: bool = False

    def call(self, x: Value) -> Any:
        return ops.ReduceMax(axes_of(self.axis, x), self.keepdims)(x)


class AminOperation(AmaxOperation):
    """Smallest element along axes."""

    def call(self, x: Value) -> Any:
        return ops.ReduceMin(axes_of(self.axis, x), self.keepdims)(x)


class AllOperation(AnyOperation):
    """Whether all elements along axes are true."""

    def call(self, x: Value) -> Any:
        return ops.LogicalNot()(super().call(ops.LogicalNot()(as_bool(x))))


class NormalizeOperation(Operation):
    """x / sqrt(sum of its squares)."""

    module: ClassVar[str] = "keras.src.ops.nn"

    axis: Axes = -1
    order: int = 2
    epsilon: float | None = None

    def call(self, x: Value) -> Any:
        if self.order != 2:
            raise CompileError(f"order is {self.order}, but only 2 is known")
        x = as_float(x)
        return unit_length(x, axes_of(self.axis, x), self.epsilon or EPSILON)


class RMSNormOperation(Operation):
    """x / sqrt(mean of squares + epsilon) * scale."""

    module: ClassVar[str] = "keras.src.ops.nn"

    axis: Axes = -1
    epsilon: float | None = None

    def call(self, x: Value, scale: Operand | None = None) -> Any:
        x = as_float(x)
        squares = ops.reduce_mean(ops.Square()(x), axes_of(self.axis, x), keepdims=True)
        scaled = ops.multiply(x, ops.Rsqrt()(ops.add(squares, self.epsilon or EPSILON)))
        return scaled if scale is None else ops.multiply(*valued(scaled, scale))


class StopGradientOperation(Operation):
    """x, through which no gradient flows."""

    module: ClassVar[str] = "keras.src.ops.core"

    def call(self, variable: Value) -> Any:
        return ops.StopGradient()(variable)


class OneHotOperation(Operation):
    """1 at the place that a number names, 0 at all others."""

    module: ClassVar[str] = "keras.src.ops.nn"

    num_classes: int
    axis: int = -1
    dtype: Any = "float32"
    sparse: bool = False

    def call(self, x: Value) -> Any:
        ndim = x.ndim + 1
        place = axis_of(self.axis, ops.reshape(x, (*x.shape, 1)))
        behind = (1,) * (ndim - 1 - place)
        places = ops.iota((self.num_classes, *behind), 0, x.dtype)
        wide = ops.reshape(x, (*x.shape[:place], 1, *x.shape[place:]))
        return ops.cast(ops.Equal()(wide, places), "f32")


class DotProductAttentionOperation(Operation):
    """Attention of several heads: query, key and value f32[N, steps, heads, features]."""

    module: ClassVar[str] = "keras.src.ops.nn"

    is_causal: bool = False
    flash_attention: bool | None = None
    attn_logits_soft_cap: None = None

    def call(
        self,
        query: Value,
        key: Value,
        value: Value,
        bias: Operand | None = None,
        mask: Value | None = None,
        scale: float | None = None,
    ) -> Any:
        query, key, value = map(as_float, (query, key, value))
        if scale is None:
            scale = 1 / sqrt(query.shape[-1])
        given = None if bias is None else valued(query, bias)[1]
        mask = None if mask is None else as_bool(mask)
        return ops.Attention(float(scale), self.is_causal)(query, key, value, mask, given)
