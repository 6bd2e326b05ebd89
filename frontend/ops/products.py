"""Products and sums of products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError
from kerac.ir.ops.elementwise import broadcast_shapes
from kerac.ir.types import is_static
from kerac.layers.einsum import einsum as sum_of_products
from kerac.layers.merging import broadcastable
from kerac.ops.axes import axis_within, filled, flat, moved, part, without_axis
from kerac.ops.promotion import Operand, floating, floats, promoted, value_of
from kerac.ops.registry import operation

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def exactly(function: Callable[..., Value], *operands: Value) -> Value:
    """A sum of products of values of one dtype; integers go through f64, which holds them."""
    dtype = operands[0].dtype
    if operands[0].tensor_type.is_float:
        return function(*operands)
    result = ops.cast(function(*(ops.cast(x, "f64") for x in operands)), "i64")
    return ops.cast(result, dtype)


def product_of(left: Value, right: Value) -> Value:
    """left: t[..., M, K], right: t[..., K, F] -> t[..., M, F]; leading axes broadcast."""
    if right.ndim == 2 and is_static(right.shape):
        return ops.dense(left, right)
    batch = broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left, right = (ops.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (left, right))
    return ops.matmul(left, right)


def multiplied(x: Value, y: Value) -> Value:
    """The product of matrices, over broadcast batches."""
    return exactly(product_of, x, y)


def contracted(equation: str, *operands: Value) -> Value:
    """The sum of products that the equation names."""
    return exactly(lambda *values: sum_of_products(equation, *values), *operands)


@operation()
def matmul(x1: Value, x2: Value) -> Value:
    """Matrix product over the last two axes; others broadcast, vectors are rows or columns."""
    if x1.dtype == x2.dtype == "i8":
        x1, x2 = ops.cast(x1, "i32"), ops.cast(x2, "i32")
    left, right = promoted(x1, x2)
    if left.ndim == 1:
        found = multiplied(ops.reshape(left, (1, *left.shape)), _as_column(right))
        found = without_axis(found, found.ndim - 2) if found.ndim > 1 else found
        return without_axis(found, found.ndim - 1) if right.ndim == 1 else found
    found = multiplied(left, _as_column(right))
    return without_axis(found, found.ndim - 1) if right.ndim == 1 else found


def _as_column(x: Value) -> Value:
    return ops.reshape(x, (*x.shape, 1)) if x.ndim == 1 else x


@operation()
def einsum(subscripts: str, *operands: Value) -> Value:
    """Sums of products over named axes."""
    return contracted(subscripts, *promoted(*operands))


@operation()
def tensordot(x1: Value, x2: Value, axes: Any = 2) -> Value:
    """Products summed over the last axes of one tensor and the first ones of the other."""
    left, right = promoted(x1, x2)
    letters = iter(LETTERS)
    names = [[next(letters) for _ in range(x.ndim)] for x in (left, right)]
    if isinstance(axes, int):
        pairs = [(left.ndim - axes + i, i) for i in range(axes)]
    else:
        first, second = ([x] if isinstance(x, int) else list(x) for x in axes)
        pairs = [
            (axis_within(a, left.ndim), axis_within(b, right.ndim))
            for a, b in zip(first, second, strict=True)
        ]
    for one, other in pairs:
        names[1][other] = names[0][one]
    summed = {names[0][one] for one, _ in pairs}
    kept = [name for part in names for name in part if name not in summed]
    return contracted(f"{''.join(names[0])},{''.join(names[1])}->{''.join(kept)}", left, right)


@operation()
def inner(x1: Value, x2: Value) -> Value:
    """Sums of products along the last axes."""
    x1, x2 = promoted(x1, x2)
    if not x1.ndim or not x2.ndim:
        return x1 * x2
    one, other = LETTERS[: x1.ndim - 1], LETTERS[x1.ndim : x1.ndim + x2.ndim - 1]
    return contracted(f"{one}z,{other}z->{one}{other}", x1, x2)


@operation()
def dot(x1: Operand, x2: Operand) -> Value:
    """Sums of products along the last axis of one and the last but one of the other."""
    left, right = promoted(x1, x2)
    if not left.ndim or not right.ndim:
        return left * right
    one, other = LETTERS[: left.ndim - 1], LETTERS[left.ndim : left.ndim + right.ndim - 1]
    second = f"{other}z" if right.ndim == 1 else f"{other[:-1]}z{other[-1]}"
    return contracted(f"{one}z,{second}->{one}{other}", left, right)


@operation()
def vdot(x1: Value, x2: Value) -> Value:
    """The sum of products of all elements."""
    x1, x2 = promoted(x1, x2)
    return contracted("z,z->", flat(x1), flat(x2))


@operation()
def outer(x1: Value, x2: Value) -> Value:
    """All products of an element of one and of the other."""
    x1, x2 = promoted(flat(x1), flat(x2))
    return ops.reshape(x1, (x1.shape[0], 1)) * ops.reshape(x2, (1, x2.shape[0]))


@operation()
def kron(x1: Value, x2: Value) -> Value:
    """Each element of one times the whole other."""
    x1, x2 = promoted(x1, x2)
    ndim = max(x1.ndim, x2.ndim)
    one, other = ((*(1,) * (ndim - x.ndim), *x.shape) for x in (x1, x2))
    left = ops.reshape(x1, tuple(n for dim in one for n in (dim, 1)))
    right = ops.reshape(x2, tuple(n for dim in other for n in (1, dim)))
    shape = tuple(a * b for a, b in zip(one, other, strict=True))
    return ops.reshape(left * right, shape)


@operation()
def cross(
    x1: Value,
    x2: Value,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Value:
    """The vectors that stand on two vectors of 2 or 3 elements."""
    x1, x2 = promoted(x1, x2)
    places = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    x1 = moved(x1, axis_within(places[0], x1.ndim), x1.ndim - 1)
    x2 = moved(x2, axis_within(places[1], x2.ndim), x2.ndim - 1)
    if {x1.shape[-1], x2.shape[-1]} - {2, 3}:
        raise ShapeError(f"vectors must have 2 or 3 elements, but are {x1.type} and {x2.type}")

    def element(x: Value, number: int) -> Value | None:
        if number >= x.shape[-1]:
            return None
        return without_axis(part(x, x.ndim - 1, number, number + 1), x.ndim - 1)

    def difference(i: int, j: int) -> Value:
        terms = [(element(x1, i), element(x2, j)), (element(x1, j), element(x2, i))]
        values = [None if a is None or b is None else a * b for a, b in terms]
        if values[0] is None:
            return filled(0, (), x1.dtype) - values[1] if values[1] is not None else _zero(x1, x2)
        return values[0] if values[1] is None else values[0] - values[1]

    if x1.shape[-1] == x2.shape[-1] == 2:
        return difference(0, 1)
    parts = [difference(1, 2), difference(2, 0), difference(0, 1)]
    found = ops.concatenate([ops.reshape(p, (*p.shape, 1)) for p in parts], parts[0].ndim)
    return moved(found, found.ndim - 1, axis_within(places[2], found.ndim))


def _zero(x1: Value, x2: Value) -> Value:
    one = part(x1, x1.ndim - 1, 0, 1) * part(x2, x2.ndim - 1, 0, 1)
    return without_axis(one, one.ndim - 1) * 0


@operation()
def trapezoid(y: Value, x: Operand | None = None, dx: float = 1.0, axis: int = -1) -> Value:
    """The integral along an axis, by trapezoids."""
    y = floating(y)
    place = axis_within(axis, y.ndim)
    length = y.shape[place]
    width: Any = dx
    if x is not None:
        (points,) = floats(value_of(x))
        if points.ndim == 1:
            shape = tuple(length if other == place else 1 for other in range(y.ndim))
            points = ops.reshape(points, shape)
        width = part(points, place, 1, length) - part(points, place, 0, length - 1)
    heights = part(y, place, 1, length) + part(y, place, 0, length - 1)
    return ops.reduce_sum(heights * width * 0.5, (place,))


@operation()
def correlate(x1: Value, x2: Value, mode: str = "valid") -> Value:
    """Sums of products of two vectors, one moved along the other."""
    x1, x2 = promoted(x1, x2)
    if not x1.tensor_type.is_float:
        x1, x2 = ops.cast(x1, "f32"), ops.cast(x2, "f32")
    n, m = x1.shape[0], x2.shape[0]
    swapped = m > n
    if swapped:
        x1, x2, n, m = x2, x1, m, n
    front = {"valid": 0, "same": m // 2 if not swapped else (m - 1) // 2, "full": m - 1}[mode]
    back = {"valid": 0, "same": m - 1 - front, "full": m - 1}[mode]
    padded = ops.reshape(x1, (1, n, 1))
    kernel = ops.reshape(x2, (m, 1, 1))
    found = ops.Convolution(padding=((front, back),))(padded, kernel)
    found = ops.reshape(found, (found.shape[1],))
    return ops.reverse(found, (0,)) if swapped else found


@operation("math", "CDist")
def cdist(x: Value, y: Value) -> Value:
    """The distances of all rows of one from all rows of the other."""
    x, y = floats(x, y)
    rows = ops.reshape(x, (*x.shape[:-1], 1, x.shape[-1]))
    others = ops.reshape(y, (*y.shape[:-2], 1, *y.shape[-2:]))
    apart = ops.subtract(*broadcastable([rows, others]))
    squares = ops.reduce_sum(apart * apart, (apart.ndim - 1,))
    is_zero = ops.Equal()(squares, ops.constant(0, squares.dtype))
    # the gradient of a root at 0 is not finite
    safe = ops.select(is_zero, ops.constant(1, squares.dtype), squares)
    return ops.select(is_zero, squares, ops.Sqrt()(safe))


@operation()
def corrcoef(x: Value) -> Value:
    """How much rows depend on one another, from -1 to 1."""
    x = floating(x)
    x = ops.reshape(x, (1, x.shape[0])) if x.ndim == 1 else x
    centred = x - ops.reduce_mean(x, (1,), keepdims=True)
    covariance = multiplied(centred, ops.transpose(centred, (1, 0)))
    scale = ops.Sqrt()(ops.reduce_sum(centred * centred, (1,), keepdims=True))
    found = covariance / scale / ops.transpose(scale, (1, 0))
    found = ops.minimum(ops.maximum(found, -1.0), 1.0)
    return ops.reshape(found, ()) if x.shape[0] == 1 else found
