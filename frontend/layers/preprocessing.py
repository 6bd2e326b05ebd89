"""Layers that bring data into the range that a network was trained on."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.base import Layer, as_float
from kerac.tracing import traced

EPSILON = 1e-7  # Keras's `backend.epsilon()`


class Moments(NamedTuple):
    """Number, mean and variance of samples, in float64."""

    samples: int
    mean: np.ndarray[Any, Any]
    variance: np.ndarray[Any, Any]

    @classmethod
    def of(cls, x: np.ndarray[Any, Any], axes: tuple[int, ...]) -> Moments:
        """Those of an array over `axes`."""
        values = x.astype(np.float64)
        count = math.prod(x.shape[axis] for axis in axes)
        if count == 0:
            raise ShapeError(f"the statistics of no samples are asked for, of shape {x.shape}")
        return cls(count, np.asarray(values.mean(axes)), np.asarray(values.var(axes)))

    def united(self, other: Moments) -> Moments:
        """Those of both samples together."""
        count = self.samples + other.samples
        part = other.samples / count
        mean = self.mean * (1 - part) + other.mean * part
        variance = (self.variance + (self.mean - mean) ** 2) * (1 - part)
        variance += (other.variance + (other.mean - mean) ** 2) * part
        return Moments(count, mean, variance)


class Rescaling(Layer):
    """inputs * scale + offset."""

    supports_masking = True

    scale: Any
    offset: Any = 0.0

    def __post_init__(self) -> None:
        for name in ("scale", "offset"):
            try:
                np.asarray(getattr(self, name), "float32")
            except (ValueError, TypeError):
                raise CompileError(
                    f"Rescaling {self.name!r}: {name} is {getattr(self, name)!r:.40}, "
                    "but numbers are expected"
                ) from None

    def call(self, inputs: Value) -> Any:
        x = as_float(inputs)
        scale, offset = (np.asarray(number, "float32") for number in (self.scale, self.offset))
        x = ops.multiply(x, ops.cast(ops.constant(scale), x.dtype))
        return ops.add(x, ops.cast(ops.constant(offset), x.dtype)) if offset.any() else x


class Normalization(Layer):
    """(inputs - mean) / sqrt(variance), one mean and variance for each place along `axis`.

    They are given, or weights that `adapt` finds or a file holds.
    """

    supports_masking = True

    axis: tuple[int, ...] = (-1,)
    mean: Any = None
    variance: Any = None
    invert: bool = False

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        axis = arguments.get("axis", -1)
        if axis is None or isinstance(axis, int):
            arguments["axis"] = () if axis is None else (axis,)
        return arguments

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.variance is None):
            raise CompileError(
                f"Normalization {self.name!r}: needs both mean and variance, or neither"
            )
        if np.shape(self.mean) != np.shape(self.variance):
            raise CompileError(
                f"Normalization {self.name!r}: mean has shape {np.shape(self.mean)}, "
                f"but variance has shape {np.shape(self.variance)}"
            )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        # Keras writes numbers and lists, not arrays.
        return config | {
            name: np.array(getattr(self, name)).tolist() for name in ("mean", "variance")
        }

    def kept_axes(self, ndim: int) -> tuple[int, ...]:
        """Axes along which statistics differ, ascending."""
        if any(not -ndim <= axis < ndim for axis in self.axis):
            raise ShapeError(f"axis {self.axis} does not exist; the input has {ndim} axes")
        return tuple(sorted(axis % ndim for axis in self.axis))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        kept = self.kept_axes(len(input_shape))
        shape = tuple(input_shape[axis] for axis in kept)
        self.adapt_mean = self.adapt_variance = None
        if self.mean is None:
            self.adapt_mean = self.add_weight("mean", shape, "zeros", trainable=False)
            self.adapt_variance = self.add_weight("variance", shape, "ones", trainable=False)
            self.count = self.add_weight("count", (), "zeros", trainable=False, dtype="int32")

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data: an array, or batches of one (x, or x and more)."""
        if self.mean is not None:
            raise CompileError(f"Normalization {self.name!r}: mean and variance were given already")
        batches = [data] if hasattr(data, "__array__") else data
        total: Moments | None = None
        for batch in batches:
            x = np.asarray(batch[0] if isinstance(batch, tuple) else batch)
            if not self.built:
                self.build_from_config({"input_shape": x.shape})
            kept = self.kept_axes(x.ndim)
            found = Moments.of(x, tuple(axis for axis in range(x.ndim) if axis not in kept))
            self._check_lengths(found.mean.shape)
            total = found if total is None else total.united(found)
        if total is None or self.adapt_mean is None or self.adapt_variance is None:
            raise CompileError(f"Normalization {self.name!r}: adapts to data, but there is none")
        self.adapt_mean.assign(total.mean)
        self.adapt_variance.assign(total.variance)

    def _check_lengths(self, shape: tuple[int, ...]) -> None:
        known = None if self.adapt_mean is None else self.adapt_mean.shape
        if shape != known:
            raise ShapeError(
                f"Normalization {self.name!r}: has statistics of the shape {known}, "
                f"but the data has {shape} along axis {self.axis}"
            )

    def call(self, inputs: Value) -> Any:
        x = as_float(inputs)
        mean, variance = (ops.cast(found, x.dtype) for found in self._statistics(x))
        deviation = ops.maximum(ops.Sqrt()(variance), EPSILON)
        if self.invert:
            return ops.add(mean, ops.multiply(x, deviation))
        return ops.divide(ops.subtract(x, mean), deviation)

    def _statistics(self, x: Value) -> tuple[Value, Value]:
        """Mean and variance with an axis for each of x, of length 1 where they do not differ."""
        kept = self.kept_axes(x.ndim)
        if self.adapt_mean is not None and self.adapt_variance is not None:
            shape = tuple(x.shape[axis] if axis in kept else 1 for axis in range(x.ndim))
            mean, variance = traced(self.adapt_mean), traced(self.adapt_variance)
            return ops.reshape(mean, shape), ops.reshape(variance, shape)
        arrays = [np.asarray(given, "float32") for given in (self.mean, self.variance)]
        lengths = [1] * x.ndim
        if arrays[0].ndim > len(kept):
            raise ShapeError(f"mean has {arrays[0].ndim} axes, but axis names {len(kept)}")
        for position in range(1, arrays[0].ndim + 1):
            lengths[kept[-position]] = arrays[0].shape[-position]
        mean, variance = (ops.constant(array.reshape(lengths)) for array in arrays)
        return mean, variance
