"""How weights begin: Keras's initializers on NumPy's generator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from kerac.configured import Configured
from kerac.convert import Conversion
from kerac.ir.errors import CompileError, InternalError, ShapeError
from kerac.ir.types import dtype_name, numpy_dtype
from kerac.lookup import find, table_of
from kerac.random import new_seed
from kerac.registration import given_function, written_function
from kerac.saving.config import SerializedObject

Array = np.ndarray[Any, np.dtype[Any]]


class Initializer(Configured):
    """Base: a function of shape and dtype."""

    module: ClassVar[str] = "keras.initializers"

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if isinstance(arguments.get("seed"), SerializedObject):
            arguments["seed"] = arguments["seed"].config.get("seed")
        arguments.pop("dtype", None)
        return arguments

    def __post_init__(self) -> None:
        for name in ("seed", "stddev", "scale"):
            if (getattr(self, name, None) or 0) < 0:
                raise CompileError(
                    f"{type(self).__name__}: {name} is {getattr(self, name)}, "
                    "but must not be negative"
                )

    def later(self, shape: tuple[int, ...], dtype: str) -> Callable[[], Array]:
        """A function that makes the array; what it will be is settled now."""
        seed = getattr(self, "seed", None)
        generator = np.random.default_rng(new_seed() if seed is None else seed)
        return lambda: np.array(self.make(shape, generator), dtype=numpy_dtype(dtype_name(dtype)))

    def __call__(self, shape: tuple[int, ...], dtype: str = "float32") -> Array:
        """A new array."""
        return self.later(tuple(shape), dtype)()

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        """The numbers."""
        raise InternalError(f"{type(self).__name__} makes no numbers")


class Zeros(Initializer):
    """All 0."""

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        return np.zeros(shape)


class Ones(Initializer):
    """All 1."""

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        return np.ones(shape)


class Constant(Initializer):
    """All `value`."""

    value: Any = 0.0

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        return np.full(shape, self.value)


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, else 0."""

    gain: float = 1.0

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        if len(shape) != 2:
            raise ShapeError(f"identity: makes matrices, but the shape is {shape}")
        return self.gain * np.eye(*shape)


class RandomNormal(Initializer):
    """Normally distributed."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        return generator.normal(self.mean, self.stddev, shape)


class RandomUniform(Initializer):
    """Uniformly distributed."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.minval > self.maxval:
            raise CompileError(
                f"RandomUniform: minval is {self.minval}, but maxval is {self.maxval}"
            )

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        return generator.uniform(self.minval, self.maxval, shape)


class TruncatedNormal(Initializer):
    """Normally distributed; what lies more than two standard deviations away is drawn again."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        return self.mean + self.stddev * truncated_normal(shape, generator)


class Orthogonal(Initializer):
    """A matrix of orthonormal rows or columns times `gain`; all axes but the last make the rows."""

    gain: float = 1.0
    seed: int | None = None

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        if len(shape) < 2:
            raise ShapeError(f"orthogonal: needs two axes or more, but the shape is {shape}")
        rows, columns = prod(shape[:-1]), shape[-1]
        matrix = generator.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(matrix)
        q = q * np.sign(np.diag(r))  # makes the distribution uniform
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


class VarianceScaling(Initializer):
    """Variance `scale` divided by the number of inputs, of outputs or by their mean."""

    # unknown to older versions of Keras
    rarely_written: ClassVar[frozenset[str]] = frozenset({"input_axes", "output_axes"})

    scale: float = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"
    seed: int | None = None
    input_axes: list[int] | None = None
    output_axes: list[int] | None = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("distribution") == "normal":
            arguments["distribution"] = "truncated_normal"
        return super().modernize(arguments)

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        fans = fans_of(shape, self.input_axes, self.output_axes)
        return scaled(shape, generator, fans, self.scale, self.mode, self.distribution)


class _Scaled(Initializer):
    """Variance scaling with everything settled but the seed."""

    rarely_written: ClassVar[frozenset[str]] = VarianceScaling.rarely_written
    settings: ClassVar[tuple[float, str, str]]

    seed: int | None = None
    input_axes: list[int] | None = None
    output_axes: list[int] | None = None

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        fans = fans_of(shape, self.input_axes, self.output_axes)
        return scaled(shape, generator, fans, *self.settings)


class GlorotUniform(_Scaled):
    """Glorot and Bengio, 2010."""

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Glorot and Bengio, 2010."""

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """He et al., 2015."""

    settings = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """He et al., 2015."""

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """LeCun et al., 1998."""

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """LeCun et al., 1998."""

    settings = (1.0, "fan_in", "truncated_normal")


def fans_of(
    shape: tuple[int, ...], input_axes: list[int] | None, output_axes: list[int] | None
) -> tuple[int, int]:
    """Numbers of inputs and outputs of one place of a kernel."""
    if input_axes is not None and output_axes is not None:
        return prod(shape[axis] for axis in input_axes), prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return prod(shape), prod(shape)
    window = prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def scaled(
    shape: tuple[int, ...],
    generator: np.random.Generator,
    fans: tuple[int, int],
    scale: float,
    mode: str,
    distribution: str,
) -> Array:
    """Numbers of variance `scale` / fan."""
    fan = {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": sum(fans) / 2}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        limit = sqrt(3 * variance)
        return generator.uniform(-limit, limit, shape)
    if distribution == "untruncated_normal":
        return generator.normal(0, sqrt(variance), shape)
    # the standard deviation of a normal distribution cut at two of them
    return sqrt(variance) / 0.87962566103423978 * truncated_normal(shape, generator)


def truncated_normal(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Normally distributed between -2 and 2."""
    numbers = generator.standard_normal(shape)
    while (outside := np.abs(numbers) > 2).any():
        numbers = np.where(outside, generator.standard_normal(shape), numbers)
    return numbers


# the names by which scripts call them
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal
constant, identity, ones, orthogonal, zeros = Constant, Identity, Ones, Orthogonal, Zeros
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
random_normal, random_uniform = RandomNormal, RandomUniform
variance_scaling = VarianceScaling

INITIALIZERS = table_of(
    *(Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, Orthogonal),
    *(VarianceScaling, GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal),
    zero=Zeros,
    one=Ones,
    normal=RandomNormal,
    uniform=RandomUniform,
    IdentityInitializer=Identity,
    OrthogonalInitializer=Orthogonal,
)


class FromFunction(Initializer):
    """Numbers of a function of shape and dtype."""

    function: Any

    def later(self, shape: tuple[int, ...], dtype: str) -> Callable[[], Array]:
        parameters = inspect.signature(self.function).parameters
        keywords = {"dtype": dtype} if "dtype" in parameters else {}
        return lambda: np.array(np.asarray(self.function(shape, **keywords)), dtype=dtype)

    def serialize(self) -> Any:
        return written_function(self.function)


def get(identifier: Any) -> Initializer | None:
    """The initializer that a name, a config, a class, a function or an instance stands for."""
    if callable(given := given_function(identifier)):
        return FromFunction(given)
    found: Initializer | None = find(identifier, INITIALIZERS, Initializer, "initializer")
    return found


def serialize(initializer: Initializer) -> dict[str, Any]:
    """An initializer as Keras writes it."""
    return initializer.serialize()


def deserialize(config: Mapping[str, Any]) -> Initializer | None:
    """The initializer that a config describes."""
    return get(config)


def start_of(identifier: Any) -> Initializer:
    """The initializer of a weight; None stands for Keras's default."""
    return get(identifier) or GlorotUniform()


Start = Annotated[Any, Conversion(start_of, serialize, "an initializer")]
"""The kind of a layer's field that holds an initializer."""
