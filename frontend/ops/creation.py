"""Tensors from numbers: zeros, ranges, identities, windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.dims import Dim
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import numpy_dtype
from kerac.layers.calling import has_symbols
from kerac.ops.axes import axis_within, filled, number, with_axis
from kerac.ops.pairs import together
from kerac.ops.promotion import Operand, chosen_dtype, floating, value_of
from kerac.ops.registry import operation, plain
from kerac.structure import leaves


def _shape(shape: Any) -> tuple[Any, ...]:
    given = shape if isinstance(shape, list | tuple | np.ndarray) else (shape,)
    if any(length is None for length in given):
        raise CompileError(
            f"shape is {tuple(given)}, but a length in it is not known",
            remedy="Make the tensor in a layer, or use the function that ends in _like.",
        )
    return tuple(length if isinstance(length, Dim) else int(length) for length in given)


def _make_filled(name: str, value: int) -> None:
    def function(shape: Any, dtype: Any = None) -> Any:
        lengths, chosen = _shape(shape), chosen_dtype(dtype)
        if any(isinstance(length, Dim) for length in lengths):
            return filled(value, lengths, chosen)
        return np.full(lengths, value, numpy_dtype(chosen))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{value} everywhere."
    plain(name, "numpy")(function)


for _name, _value in {"zeros": 0, "ones": 1, "empty": 0}.items():
    _make_filled(_name, _value)


@operation()
def full(shape: object, fill_value: Operand, dtype: Any = None) -> Value:
    """One number, or a tensor stretched, in a shape."""
    value = value_of(fill_value)
    # as in Keras a number gives f32, whatever it is
    default = value.dtype if isinstance(fill_value, Value) else "f32"
    return ops.broadcast_to(ops.cast(value, chosen_dtype(dtype, default)), _shape(shape))


@operation()
def full_like(x: Value, fill_value: Operand, dtype: Any = None) -> Value:
    """One number in the shape of x."""
    value = value_of(fill_value)
    return ops.broadcast_to(ops.cast(value, chosen_dtype(dtype, x.dtype)), x.shape)


@operation()
def empty_like(x: Value, dtype: Any = None) -> Value:
    """Zeros in the shape of x."""
    return filled(0, x.shape, chosen_dtype(dtype, x.dtype))


@plain("arange", "numpy")
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """start, start + step, ... below stop; lengths of tensors may bound it."""
    first, end, step = (0, start, step) if stop is None else (start, stop, step)
    step = 1 if step is None else step
    given = (first, end, step)
    if has_symbols(given) or any(isinstance(x, Value) for x in given):
        raise UnsupportedError(
            "arange: is given a tensor of a graph, but the length of its result must be known",
            remedy="Give it numbers, or lengths from ops.shape.",
        )
    plain_given = [x.item() if isinstance(x, np.generic | np.ndarray) else x for x in given]
    kind = "f32" if any(isinstance(x, float) for x in plain_given) else "i32"
    chosen = chosen_dtype(dtype, _dtype_of(given, kind))
    if not any(isinstance(x, Dim) for x in given):
        return np.arange(*plain_given).astype(numpy_dtype(chosen))
    count = (end - first + step - 1) // step
    places = ops.iota((count,), 0, chosen)
    return places * step + value_of(first, chosen)


def _dtype_of(given: tuple[Any, ...], default: str) -> str:
    """The dtype of arrays among numbers."""
    strong = [np.asarray(x) for x in given if isinstance(x, np.generic | np.ndarray)]
    return chosen_dtype(np.result_type(*strong)) if strong and default == "i32" else default


@plain("eye", "numpy")
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:  # noqa: N803
    """1 on a diagonal."""
    return np.eye(N, M, k, numpy_dtype(chosen_dtype(dtype)))


@plain("identity", "numpy")
def identity(n: int, dtype: Any = None) -> Any:
    """1 on the diagonal of a square."""
    return eye(n, dtype=dtype)


@plain("tri", "numpy")
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:  # noqa: N803
    """1 on and below a diagonal."""
    return np.tri(N, M, k, numpy_dtype(chosen_dtype(dtype)))


def _spaced(
    start: Operand, stop: Operand, num: int, endpoint: bool, axis: int
) -> tuple[Value, Value]:
    """`num` numbers from start to stop along a new axis, and how far apart they are."""
    first, end = (floating(x) for x in together(start, stop))
    gaps = max(num - 1 if endpoint else num, 1)
    step = (end - first) * (1.0 / gaps)
    ndim = max(first.ndim, end.ndim) + 1
    place = axis_within(axis, ndim)
    shape = tuple(num if other == place else 1 for other in range(ndim))
    shares = ops.iota(shape, place, first.dtype) * (1.0 / gaps)
    first, end = (with_axis(ops.broadcast_to(x, step.shape), place) for x in (first, end))
    # from both ends, so that the last number is stop itself
    return first * (1.0 - shares) + end * shares, step


@operation()
def linspace(
    start: Operand,
    stop: Operand,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Numbers at equal distances."""
    found, step = _spaced(start, stop, num, endpoint, axis)
    found = _as_dtype(found, dtype)
    return (found, step) if retstep else found


def _as_dtype(x: Value, dtype: Any) -> Value:
    """Numbers in a dtype, rounded towards minus infinity to integers."""
    chosen = chosen_dtype(dtype, x.dtype)
    return ops.cast(ops.Floor()(x) if chosen[0] in "iu" else x, chosen)


@operation()
def logspace(
    start: Operand,
    stop: Operand,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: Any = None,
    axis: int = 0,
) -> Value:
    """Powers of a base whose exponents are at equal distances."""
    exponents, _ = _spaced(start, stop, num, endpoint, axis)
    powers = ops.Power()(ops.constant(base, exponents.dtype), exponents)
    return ops.cast(powers, chosen_dtype(dtype, powers.dtype))


@operation()
def geomspace(
    start: Operand,
    stop: Operand,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Value:
    """Numbers whose quotients are equal."""
    first, end = (floating(x) for x in together(start, stop))
    negative = first < 0
    logs, _ = _spaced(ops.Log()(abs(first)), ops.Log()(abs(end)), num, endpoint, axis)
    sizes = ops.Exp()(logs)
    place = axis_within(axis, sizes.ndim)
    turned = ops.broadcast_to(negative, sizes.shape[:place] + sizes.shape[place + 1 :])
    found = ops.select(with_axis(turned, place), -sizes, sizes)
    return ops.cast(found, chosen_dtype(dtype, found.dtype))


Window = Callable[..., Any]


def _window(name: str, function: Window) -> None:
    def window(x: Any) -> Any:
        return function(int(x)).astype(np.float32)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"The {name} window of x elements."
    plain(name, "numpy")(window)


for _name in ("bartlett", "blackman", "hamming", "hanning"):
    _window(_name, getattr(np, _name))


@plain("kaiser", "numpy")
def kaiser(x: Any, beta: float) -> Any:
    """The Kaiser window of x elements."""
    return np.kaiser(int(x), beta).astype(np.float32)


@plain("shape", "core")
def shape(x: Any) -> tuple[Any, ...]:
    """Lengths of the axes; None in a model, and lengths to compute with in a layer."""
    return tuple(x.shape) if hasattr(x, "shape") else np.asarray(x).shape


@plain("ndim", "numpy")
def ndim(x: Any) -> int:
    """The number of axes."""
    return len(shape(x))


def _known_size(arguments: dict[str, Any]) -> int | None:
    """That of an array is a number."""
    x = arguments["x"]
    return None if isinstance(x, Value) or has_symbols([x]) else int(np.size(np.asarray(x)))


@operation(otherwise=_known_size)
def size(x: Value) -> Value:
    """The number of elements."""
    total: Any = 1
    for length in x.shape:
        total = total * length
    return number(total)


@operation()
def array(x: Value, dtype: Any = None) -> Value:
    """x as a tensor."""
    return ops.cast(x, chosen_dtype(dtype, x.dtype))


@plain("dtype", "core")
def dtype(x: Any) -> str:
    """The name of the dtype of a tensor."""
    if isinstance(x, Value):
        return x.tensor_type.numpy_dtype.name
    return str(getattr(x, "dtype", None) or np.asarray(x).dtype)


@plain("is_tensor", "core")
def is_tensor(x: Any) -> bool:
    """Whether x is a tensor: an array, a value of a graph or a symbolic tensor."""
    return isinstance(x, Value | np.ndarray) or has_symbols([x])


@plain("convert_to_numpy", "core")
def convert_to_numpy(x: Any) -> Any:
    """x as an array; a tensor of a graph has no numbers yet."""
    if has_symbols(leaves(x)) or any(isinstance(leaf, Value) for leaf in leaves(x)):
        raise UnsupportedError(
            "convert_to_numpy: is called on a tensor of a graph, which has no numbers yet",
            remedy="Call the model on arrays; what it returns are arrays.",
        )
    return np.asarray(x)
