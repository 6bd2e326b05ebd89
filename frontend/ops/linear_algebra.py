"""Linear algebra: by NumPy on arrays; in graphs by steps that are as many as a matrix has rows."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.dims import Dim
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from kerac.layers.calling import has_symbols
from kerac.ops.axes import Axes, axes_within, known_length, part, without_axis
from kerac.ops.numbers import where
from kerac.ops.products import multiplied
from kerac.ops.promotion import floating, floats
from kerac.ops.registry import narrowed, on_arrays, operation
from kerac.structure import leaves

LARGEST = 64
"""Rows of a matrix that a graph works with: each takes a step of its own."""
ITERATIVE = "its steps are as many as the numbers ask for"
Array = np.ndarray


def by_numpy(function: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
    """The NumPy function where all arguments are arrays."""

    def found(arguments: dict[str, Any]) -> Any:
        flat = leaves(arguments)
        if has_symbols(flat) or any(isinstance(x, Value | Dim) for x in flat):
            return None
        tensors = [_array(x) for name, x in arguments.items() if name in ("x", "a", "b")]
        rest = {name: x for name, x in arguments.items() if name not in ("x", "a", "b")}
        return narrowed(function(*tensors, **rest))

    return found


def _array(x: Any) -> Array:
    array = np.asarray(x)
    return array if array.dtype.kind in "fc" else array.astype(np.float32)


def _rows(x: Value, square: bool = True) -> int:
    """The number of rows of a matrix."""
    rows = known_length(x.shape[-2], "the number of rows")
    columns = known_length(x.shape[-1], "the number of columns")
    if square and rows != columns:
        raise ShapeError(f"a square matrix is needed, but got {x.type}")
    if max(rows, columns) > LARGEST:
        raise UnsupportedError(
            f"a matrix in a graph has {max(rows, columns)} rows, but {LARGEST} are the most",
            remedy="Compute it on arrays before, and give the result to the model.",
        )
    return rows


def _row(x: Value, number: int) -> Value:
    return part(x, x.ndim - 2, number, number + 1)


def _column(x: Value, number: int) -> Value:
    return part(x, x.ndim - 1, number, number + 1)


def _places(count: int, ndim: int, axis: int) -> Value:
    shape = tuple(count if place == axis else 1 for place in range(ndim))
    return ops.iota(shape, axis)


def _largest_below(x: Value, number: int, places: Value) -> Value:
    """i32[..., 1, 1]: the row from `number` on whose element in that column is largest."""
    sizes = where(places < number, -1.0, abs(_column(x, number)))
    top = ops.ReduceMax((x.ndim - 2,), True)(sizes)
    found = ops.select(ops.Equal()(sizes, top), places, ops.constant(LARGEST, "i32"))
    return ops.ReduceMin((x.ndim - 2,), True)(found)


def eliminated(x: Value, count: int) -> tuple[Value, Value, list[Value]]:
    """Gauss's elimination with the largest pivots.

    x: t[..., count, any] -> the rest, with factors below the diagonal; the sign of the order of
    rows, t[..., 1, 1]; and which row came to each place
    """
    axis = x.ndim - 2
    places = _places(count, x.ndim, axis)
    sign = _column(_row(x, 0), 0) * 0.0 + 1.0
    order = []
    for number in range(count):
        pivot_row = _largest_below(x, number, places)
        order.append(pivot_row)
        is_pivot = ops.Equal()(places, pivot_row)
        here = ops.Equal()(places, ops.constant(number, "i32"))
        found = ops.reduce_sum(where(is_pivot, x, 0.0), (axis,), keepdims=True)
        x = ops.select(here, found, ops.select(is_pivot, _row(x, number), x))
        sign = where(ops.Equal()(pivot_row, ops.constant(number, "i32")), sign, -sign)
        pivot = _column(_row(x, number), number)
        factor = where(places > number, _column(x, number) / pivot, 0.0)
        below = x - factor * _row(x, number)
        columns = _places(x.shape[-1], x.ndim, x.ndim - 1)
        kept = ops.LogicalAnd()(ops.Equal()(columns, ops.constant(number, "i32")), places > number)
        right = columns > number
        x = ops.select(kept, factor, ops.select(right, below, x))
    return x, sign, order


def solved(a: Value, b: Value) -> Value:
    """x such that a @ x = b, for a: t[..., M, M] and b: t[..., M, K]"""
    count = _rows(a)
    whole, _, _ = eliminated(ops.concatenate([a, b], a.ndim - 1), count)
    last = whole.ndim - 1
    left = part(whole, last, 0, count)
    return back_substituted(left, part(whole, last, count, whole.shape[-1]), lower=False)


def back_substituted(a: Value, b: Value, lower: bool) -> Value:
    """x such that the triangle of a, times x, is b."""
    count = _rows(a)
    places = _places(count, a.ndim, a.ndim - 2)
    for step in range(count):
        number = step if lower else count - 1 - step
        found = _row(b, number) / _column(_row(a, number), number)
        here = ops.Equal()(places, ops.constant(number, "i32"))
        rest = places > number if lower else places < number
        factor = where(rest, _column(a, number), 0.0)
        b = ops.select(here, found, b - factor * found)
    return b


def _diagonal(x: Value) -> Value:
    """t[..., M, M] -> t[..., M]"""
    count = _rows(x)
    here = ops.Equal()(_places(count, x.ndim, x.ndim - 2), _places(count, x.ndim, x.ndim - 1))
    return ops.reduce_sum(where(here, x, 0.0), (x.ndim - 1,))


def _sign_and_pivots(x: Value) -> tuple[Value, Value]:
    whole, sign, _ = eliminated(x, _rows(x))
    return ops.reshape(sign, sign.shape[:-2]), _diagonal(whole)


@operation("linalg", otherwise=by_numpy(np.linalg.det))
def det(x: Value) -> Value:
    """The determinant."""
    sign, pivots = _sign_and_pivots(floating(x))
    return sign * ops.ReduceProduct((pivots.ndim - 1,))(pivots)


def _numpy_slogdet(x: Array) -> tuple[Any, Any]:
    sign, logarithm = np.linalg.slogdet(x)
    return np.asarray(sign, x.dtype), np.asarray(logarithm, x.dtype)


@operation("numpy", otherwise=by_numpy(_numpy_slogdet))
def slogdet(x: Value) -> tuple[Value, Value]:
    """The sign of the determinant, and the logarithm of its size."""
    from kerac.ops.numbers import sign as sign_of

    sign, pivots = _sign_and_pivots(floating(x))
    last = (pivots.ndim - 1,)
    signs = sign * ops.ReduceProduct(last)(sign_of(pivots))
    return signs, ops.reduce_sum(ops.Log()(abs(pivots)), last)


@operation("math", otherwise=by_numpy(lambda x: _numpy_slogdet(x)[1]))
def logdet(x: Value) -> Value:
    """The logarithm of the determinant of a positive matrix."""
    _, pivots = _sign_and_pivots(floating(x))
    return ops.reduce_sum(ops.Log()(abs(pivots)), (pivots.ndim - 1,))


def _identity(x: Value) -> Value:
    count = _rows(x)
    square = ops.constant(np.eye(count), x.dtype)
    return ops.broadcast_to(square, x.shape)


@operation("linalg", otherwise=by_numpy(np.linalg.inv))
def inv(x: Value) -> Value:
    """The inverse."""
    x = floating(x)
    return solved(x, _identity(x))


def _numpy_solve(a: Array, b: Array) -> Any:
    if b.ndim == a.ndim - 1:
        return np.linalg.solve(a, b[..., None])[..., 0]
    return np.linalg.solve(a, b)


@operation("linalg", otherwise=by_numpy(_numpy_solve))
def solve(a: Value, b: Value) -> Value:
    """x such that a @ x = b; b may be vectors."""
    a, b = floats(a, b)
    if b.ndim == a.ndim - 1:
        found = solved(a, ops.reshape(b, (*b.shape, 1)))
        return ops.reshape(found, b.shape)
    return solved(a, b)


@operation("linalg")
def solve_triangular(a: Value, b: Value, lower: bool = False) -> Value:
    """x such that the triangle of a, times x, is b; b may be vectors."""
    a, b = floats(a, b)
    if b.ndim == a.ndim - 1:
        found = back_substituted(a, ops.reshape(b, (*b.shape, 1)), lower)
        return ops.reshape(found, b.shape)
    return back_substituted(a, b, lower)


def _turned(x: Value) -> Value:
    return ops.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _numpy_cholesky(x: Array, upper: bool = False) -> Any:
    half = np.linalg.cholesky((x + np.swapaxes(x, -1, -2)) / 2)
    return np.swapaxes(half, -1, -2) if upper else half


@operation("linalg", otherwise=by_numpy(_numpy_cholesky))
def cholesky(x: Value, upper: bool = False) -> Value:
    """The triangle whose product with itself turned is a positive matrix."""
    x = floating(x)
    count = _rows(x)
    rest = (x + _turned(x)) * 0.5
    places = _places(count, x.ndim, x.ndim - 2)
    columns = []
    for number in range(count):
        root = ops.Sqrt()(_column(_row(rest, number), number))
        column = where(places < number, 0.0, _column(rest, number) / root)
        columns.append(column)
        rest = rest - column * _turned(column)
    found = ops.concatenate(columns, x.ndim - 1)
    return _turned(found) if upper else found


@operation("linalg", class_name="CholeskyInverse")
def cholesky_inverse(x: Value, upper: bool = False) -> Value:
    """The inverse of the matrix whose triangle x is."""
    x = floating(x)
    half = back_substituted(x, _identity(x), lower=not upper)
    turned = _turned(half)
    return multiplied(half, turned) if upper else multiplied(turned, half)


@operation("linalg", class_name="LuFactor")
def lu_factor(x: Value) -> tuple[Value, Value]:
    """Both triangles of the factors of a matrix in one, and which rows changed places."""
    x = floating(x)
    whole, _, order = eliminated(x, _rows(x))
    pivots = ops.concatenate([ops.reshape(p, (*x.shape[:-2], 1)) for p in order], x.ndim - 2)
    return whole, pivots


def _numpy_qr(x: Array, mode: str = "reduced") -> Any:
    return tuple(np.linalg.qr(x, mode=mode))  # type: ignore[call-overload]


@operation("linalg", otherwise=by_numpy(_numpy_qr))
def qr(x: Value, mode: str = "reduced") -> tuple[Value, Value]:
    """Orthogonal columns and a triangle whose product is x, by Householder's reflections."""
    if mode not in ("reduced", "complete"):
        raise CompileError(f"mode is {mode!r}, but must be 'reduced' or 'complete'")
    x = floating(x)
    rows, columns = _rows(x, square=False), known_length(x.shape[-1], "the number of columns")
    axis = x.ndim - 2
    places = _places(rows, x.ndim, axis)
    square = ops.constant(np.eye(rows), x.dtype)
    q = ops.broadcast_to(square, (*x.shape[:-2], rows, rows))
    for number in range(min(rows - 1, columns)):
        column = where(places < number, 0.0, _column(x, number))
        first = _row(column, number)
        size = ops.Sqrt()(ops.reduce_sum(column * column, (axis,), keepdims=True))
        target = where(first < 0, size, -size)
        here = ops.Equal()(places, ops.constant(number, "i32"))
        normal = ops.select(here, column - target, column)
        square_size = ops.reduce_sum(normal * normal, (axis,), keepdims=True)
        empty = ops.Equal()(square_size, ops.constant(0, x.dtype))
        scale = where(empty, 0.0, 2.0 / where(empty, 1.0, square_size))
        x = x - normal * (scale * multiplied(_turned(normal), x))
        q = q - multiplied(q, normal) * (scale * _turned(normal))
    kept = min(rows, columns) if mode == "reduced" else rows
    from kerac.ops.arrangement import triangle

    r = triangle(x, 0, upper=True)
    return part(q, x.ndim - 1, 0, kept), part(r, axis, 0, kept)


@operation("linalg")
def norm(x: Value, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Value:
    """The size of vectors along one axis, of matrices along two, or of all elements."""
    x = floating(x)
    if axis is None and (ord is None or x.ndim == 1):
        axes = tuple(range(x.ndim))
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if axis is None and x.ndim != 2:
        raise ShapeError(f"a norm of order {ord!r} needs 1 or 2 axes, but x is {x.type}")
    given = axis if isinstance(axis, list | tuple) else (axis,)
    axes = axes_within(None if axis is None else given, x.ndim)  # type: ignore[arg-type]
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if ord in (None, "fro"):
        return _vector_norm(x, 2, axes, keepdims)
    rows, columns = (
        (int(a) % x.ndim for a in given) if axis is not None else (0, 1)  # type: ignore[arg-type]
    )
    if ord not in (1, -1, inf, -inf):
        raise UnsupportedError(f"norm: the order {ord!r} is known on arrays alone: {ITERATIVE}")
    summed, other = (rows, columns) if abs(ord) == 1 else (columns, rows)
    totals = ops.reduce_sum(abs(x), (summed,), keepdims=True)
    found = (ops.ReduceMax if ord > 0 else ops.ReduceMin)((other,), True)(totals)
    return found if keepdims else without_axis(without_axis(found, axes[1]), axes[0])


def _vector_norm(x: Value, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Value:
    sizes = abs(x)
    if ord in (inf, -inf):
        return (ops.ReduceMax if ord > 0 else ops.ReduceMin)(axes, keepdims)(sizes)
    if ord == 0:
        other = ops.NotEqual()(x, ops.constant(0, x.dtype))
        return ops.reduce_sum(ops.cast(other, x.dtype), axes, keepdims)
    if ord == 1:
        return ops.reduce_sum(sizes, axes, keepdims)
    if ord == 2:
        return ops.Sqrt()(ops.reduce_sum(x * x, axes, keepdims))
    if isinstance(ord, str):
        raise CompileError(f"the order {ord!r} is for matrices, but there is one axis")
    total = ops.reduce_sum(sizes ** float(ord), axes, keepdims)
    return total ** (1 / float(ord))


@on_arrays(ITERATIVE, "linalg")
def eig(x: Any) -> Any:
    """Eigenvalues and eigenvectors, which are complex."""
    return tuple(part.astype(np.complex64) for part in np.linalg.eig(_array(x)))


@on_arrays(ITERATIVE, "linalg")
def eigh(x: Any) -> Any:
    """Eigenvalues and eigenvectors of what is symmetric."""
    return tuple(np.linalg.eigh(_array(x)))


@on_arrays(ITERATIVE, "linalg")
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Orthogonal matrices and singular values whose product is x."""
    if not compute_uv:
        return np.linalg.svd(_array(x), compute_uv=False)
    return tuple(np.linalg.svd(_array(x), full_matrices))


@on_arrays(ITERATIVE, "linalg")
def pinv(x: Any, rcond: Any = None) -> Any:
    """The inverse in the sense of least squares."""
    x = _array(x)
    small = 10.0 * max(x.shape[-2:]) * np.finfo(np.float32).eps if rcond is None else rcond
    return np.linalg.pinv(x, small).astype(x.dtype)


@on_arrays(ITERATIVE, "linalg")
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """x such that a @ x is as near to b as can be."""
    return np.linalg.lstsq(_array(a), _array(b), rcond)[0]


@on_arrays(ITERATIVE, "linalg")
def matrix_rank(x: Any, tol: Any = None) -> Any:
    """How many rows do not depend on others."""
    return np.asarray(np.linalg.matrix_rank(_array(x), tol), np.int32)
