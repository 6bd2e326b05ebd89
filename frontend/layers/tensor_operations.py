"""Operations of Keras on whole tensors that stand in files, such as those that make masks."""

from __future__ import annotations

from typing import Any, ClassVar

from kerac.activations import axis_of
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from kerac.ir.indexing import part_of
from kerac.ir.types import DTYPES, dtype_name
from kerac.layers.base import as_float
from kerac.layers.masks import any_along
from kerac.layers.merging import joined
from kerac.layers.operation import Operation
from kerac.layers.reshaping import Reshape

Axes = int | list[int] | tuple[int, ...] | None


def axes_of(axis: Axes, x: Value) -> tuple[int, ...]:
    """Ascending axes; None means all."""
    if axis is None:
        return tuple(range(x.ndim))
    given = (axis,) if isinstance(axis, int) else axis
    return tuple(sorted(axis_of(entry, x) for entry in given))


class _Reduction(Operation):
    """Base: one element for many along axes."""

    op: ClassVar[type[ops.Reduction]]

    axis: Axes = None
    keepdims: bool = False

    def call(self, x: Value) -> Any:
        return self.op(axes_of(self.axis, x), self.keepdims)(as_float(x))


class MeanOperation(_Reduction):
    """Arithmetic mean along axes."""

    op = ops.ReduceMean


class SumOperation(_Reduction):
    """Sum along axes."""

    op = ops.ReduceSum


class _Extreme(_Reduction):
    """Base: reductions that Keras gives a start, which must be None."""

    initial: None = None


class MaxOperation(_Extreme):
    """Largest element along axes."""

    op = ops.ReduceMax


class MinOperation(_Extreme):
    """Smallest element along axes."""

    op = ops.ReduceMin


class AnyOperation(Operation):
    """Whether any element along axes is true."""

    axis: Axes = None
    keepdims: bool = False

    def call(self, x: Value) -> Any:
        kept = x.shape
        for axis in reversed(axes_of(self.axis, x)):
            kept = (*kept[:axis], 1, *kept[axis + 1 :])
            x = any_along(x, axis)
        return ops.reshape(x, kept) if self.keepdims else x


class ExpandDimsOperation(Operation):
    """New axes of length 1."""

    axis: int | list[int] | tuple[int, ...]

    def call(self, x: Value) -> Any:
        axes = [self.axis] if isinstance(self.axis, int) else list(self.axis)
        ndim = x.ndim + len(axes)
        places = {axis % ndim for axis in axes}
        lengths = iter(x.shape)
        return ops.reshape(x, tuple(1 if i in places else next(lengths) for i in range(ndim)))


class SqueezeOperation(Operation):
    """Axes of length 1 taken away."""

    axis: Axes = None

    def call(self, x: Value) -> Any:
        axes = axes_of(self.axis, x)
        if self.axis is None:
            axes = tuple(axis for axis in axes if x.shape[axis] == 1)
        if any(x.shape[axis] != 1 for axis in axes):
            raise ShapeError(f"axes {axes} must have length 1, but the input is {x.type}")
        return ops.reshape(x, tuple(n for axis, n in enumerate(x.shape) if axis not in axes))


class ZerosLikeOperation(Operation):
    """0 everywhere."""

    dtype: Any = None
    number: ClassVar[int] = 0

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        dtype = kwargs.pop("dtype", None)
        if dtype is not None and not (isinstance(dtype, str) and dtype in DTYPES.values()):
            raise UnsupportedError(f"{self.class_name}: there is no dtype {dtype!r:.40}")
        return super()._by_name(args, kwargs) | {"dtype": dtype}

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dtype": self.dtype}

    def call(self, x: Value) -> Any:
        dtype = x.dtype if self.dtype is None else dtype_name(self.dtype)
        return ops.broadcast_to(ops.constant(self.number, dtype), x.shape)


class OnesLikeOperation(ZerosLikeOperation):
    """1 everywhere."""

    number = 1


class CastOperation(ZerosLikeOperation):
    """The same numbers in another dtype."""

    module = "keras.src.ops.core"

    def call(self, x: Value) -> Any:
        return ops.cast(x, dtype_name(self.dtype))


class ConvertToTensorOperation(Operation):
    """The same, for what is a tensor already."""

    module = "keras.src.ops.core"

    dtype: None = None
    sparse: bool | None = None
    ragged: bool | None = None

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return super()._by_name(args, kwargs) | {"dtype": None}

    def call(self, x: Value) -> Any:
        return x


class ConcatenateOperation(Operation):
    """One after the other along an axis."""

    axis: int = 0

    def call(self, xs: Any) -> Any:
        if not isinstance(xs, list | tuple) or not all(isinstance(x, Value) for x in xs):
            raise CompileError("takes a list of tensors, but got something else")
        return joined(list(xs), self.axis)


class ReshapeOperation(Operation):
    """The same elements in another shape, the batch included."""

    newshape: tuple[int | None, ...]

    def call(self, x: Value) -> Any:
        batch, *rest = self.newshape
        if batch in (-1, None) or batch == x.shape[0]:
            fixed = Reshape.resolve(x, tuple(rest))
            return ops.reshape(x, (x.shape[0], *fixed))
        raise CompileError(f"newshape {self.newshape} mixes samples, but they must stay apart")


class TransposeOperation(Operation):
    """Axes in another order."""

    axes: tuple[int, ...] | None = None

    def call(self, x: Value) -> Any:
        order = tuple(reversed(range(x.ndim))) if self.axes is None else self.axes
        return ops.transpose(x, tuple(axis_of(axis, x) for axis in order))


class GetItemOperation(Operation):
    """Parts along axes by numbers and slices, as `x[:, -1]`; None makes a new axis."""

    module = "keras.src.ops.numpy"

    def call(self, x: Value, key: object) -> Any:
        return part_of(x, key)
