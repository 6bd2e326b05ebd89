"""Images whose pixels come from elsewhere: from places between the pixels of another one."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Literal

import numpy as np

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.images.sampling import grid, read_between, sample
from kerac.ops.axes import axis_within, known_length, moved, part, without_axis
from kerac.ops.images import Batch, as_float, filtered_by_bell, single
from kerac.ops.linear_algebra import solved
from kerac.ops.numbers import sinc
from kerac.ops.registry import Key, operation

FillMode = Literal["constant", "nearest", "wrap", "mirror", "reflect"]
Interpolation = Literal["nearest", "bilinear"]
Format = str | None


@operation("image")
def map_coordinates(
    inputs: Value,
    coordinates: Value,
    order: int,
    fill_mode: FillMode = "constant",
    fill_value: float = 0,
) -> Value:
    """Elements at places between others; the first axis of coordinates goes over the axes.

    inputs: t[...], coordinates: f32[number of axes of inputs, *places] -> t[*places]
    """
    if coordinates.shape[0] != inputs.ndim or coordinates.ndim < 2:
        raise ShapeError(f"coordinates must be [{inputs.ndim}, ...], but are {coordinates.type}")
    if order not in (0, 1):
        raise CompileError(f"order is {order}, but must be 0 (the nearest) or 1 (linear)")
    places = [
        without_axis(part(single(coordinates), 0, axis, axis + 1), 0) for axis in range(inputs.ndim)
    ]
    table = ops.reshape(single(inputs), (prod(inputs.shape, start=1), 1))
    how = ("bilinear" if order else "nearest", fill_mode, float(fill_value))
    found = read_between(table, inputs.shape, places, None, how)
    found = ops.reshape(found, found.shape[:-1])
    return ops.cast(found if inputs.tensor_type.is_float else ops.Round()(found), inputs.dtype)


@operation("image")
def affine_transform(
    images: Value,
    transform: Value,
    interpolation: Interpolation = "bilinear",
    fill_mode: FillMode = "constant",
    fill_value: float = 0,
    data_format: Format = None,
) -> Value:
    """Images moved, turned and stretched: each pixel comes from x = a0 X + a1 Y + a2 and so on."""
    batch = Batch(single(images), data_format)
    matrix = single(transform)
    matrix = ops.reshape(matrix, (1, *matrix.shape)) if matrix.ndim == 1 else matrix
    entries = [ops.reshape(part(matrix, 1, i, i + 1), (matrix.shape[0], 1, 1)) for i in range(6)]
    columns, rows = grid(batch.images)
    x = entries[0] * columns + entries[1] * rows + entries[2]
    y = entries[3] * columns + entries[4] * rows + entries[5]
    found = sample(batch.images, y, x, interpolation, fill_mode, float(fill_value))
    return as_float(batch.like(found), images)


@operation("image")
def perspective_transform(
    images: Value,
    start_points: Value,
    end_points: Value,
    interpolation: Interpolation = "bilinear",
    fill_value: float = 0,
    data_format: Format = None,
) -> Value:
    """Images seen from another side: what is at the start points comes to the end points."""
    batch = Batch(single(images), data_format)
    matrix = homography(single(start_points), single(end_points))
    entries = [ops.reshape(part(matrix, 1, i, i + 1), (matrix.shape[0], 1, 1)) for i in range(8)]
    columns, rows = grid(batch.images)
    depth = entries[6] * columns + entries[7] * rows + 1.0
    x = (entries[0] * columns + entries[1] * rows + entries[2]) / depth
    y = (entries[3] * columns + entries[4] * rows + entries[5]) / depth
    found = sample(batch.images, y, x, interpolation, "constant", float(fill_value))
    return as_float(batch.like(found), images)


def homography(start: Value, end: Value) -> Value:
    """f32[N, 8]: the map of the plane that takes four points to where others are."""
    start, end = (ops.reshape(x, (1, 4, 2)) if x.ndim == 2 else x for x in (start, end))
    from_x, from_y = part(start, 2, 0, 1), part(start, 2, 1, 2)
    to_x, to_y = part(end, 2, 0, 1), part(end, 2, 1, 2)
    zero, one = to_x * 0.0, to_x * 0.0 + 1.0
    left = [to_x, to_y, one, zero, zero, zero, -(from_x * to_x), -(from_x * to_y)]
    right = [zero, zero, zero, to_x, to_y, one, -(from_y * to_x), -(from_y * to_y)]
    matrix = ops.concatenate([ops.concatenate(left, 2), ops.concatenate(right, 2)], 1)
    found = solved(matrix, ops.concatenate([from_x, from_y], 1))
    return ops.reshape(found, (found.shape[0], 8))


@operation("image")
def elastic_transform(
    images: Value,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: Interpolation = "bilinear",
    fill_mode: FillMode = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: Format = None,
) -> Value:
    """Images whose pixels moved by chance, neighbours alike; on a seed they move the same way."""
    batch = Batch(single(images), data_format)
    count, height, width, _ = batch.images.shape
    number_ = seed if isinstance(seed, int) else int(np.random.default_rng().integers(2**31))
    key = ops.constant(np.array([number_ % 2**32, 0]), "u32")
    size = int(6 * sigma) | 1
    columns, rows = grid(batch.images)

    def moves(stream: int) -> Value:
        drawn = ops.random_normal(key, (count, height, width, 1), stream)
        smooth = filtered_by_bell(ops.cast(drawn, batch.images.dtype) * sigma, size, sigma)
        return ops.reshape(smooth, (count, height, width)) * alpha

    y, x = rows + moves(1), columns + moves(0)
    found = sample(batch.images, y, x, interpolation, fill_mode, float(fill_value))
    return as_float(batch.like(found), images)


def _triangle(distance: Value) -> Value:
    return ops.maximum(1.0 - distance, 0.0)


def _cubic(distance: Value) -> Value:
    near = ((1.5 * distance - 2.5) * distance) * distance + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return ops.select(distance < 1.0, near, far)


def _lanczos(radius: int) -> Callable[[Value], Value]:
    return lambda distance: sinc(distance) * sinc(distance * (1 / radius))


# how far a curve reaches, and the curve (Keys, 1981, for the cubic one)
CURVES: dict[str, tuple[int, Callable[[Value], Value]]] = {
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), (1, _triangle)),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), (2, _cubic)),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
}


@operation("image")
def scale_and_translate(
    images: Value,
    output_shape: Key,
    scale: Value,
    translation: Value,
    spatial_dims: tuple[int, ...],
    method: str,
    antialias: bool = True,
) -> Value:
    """Axes stretched and moved: each new element is a mean of those around where it comes from."""
    if method not in CURVES:
        raise CompileError(f"method is {method!r}, but must be one of {', '.join(CURVES)}")
    x = single(images)
    for place, axis in enumerate(spatial_dims):
        axis = axis_within(axis, x.ndim)
        given = known_length(x.shape[axis], f"the length of axis {axis}")
        factor, shift = (single(part(v, 0, place, place + 1)) for v in (scale, translation))
        weights = _weights(given, output_shape[axis], (factor, shift), CURVES[method], antialias)
        last = moved(x, axis, x.ndim - 1)
        x = moved(ops.dense(last, weights), x.ndim - 1, axis)
    return as_float(x, images)


def _weights(
    given: int, wanted: int, where: tuple[Value, Value], how: Any, antialias: bool
) -> Value:
    """f32[given, wanted]: how much each element counts for each new one; columns sum to 1."""
    factor, shift = where
    radius, curve = how
    inverse = 1.0 / factor
    spread = ops.maximum(inverse, 1.0) if antialias else inverse * 0.0 + 1.0
    centres = (ops.iota((1, wanted), 1, factor.dtype) + 0.5) * inverse - shift * inverse - 0.5
    distances = abs(ops.iota((given, 1), 0, factor.dtype) - centres) / spread
    near = distances < radius
    heights = ops.select(near, curve(distances), ops.constant(0, factor.dtype))
    total = ops.reduce_sum(heights, (0,), keepdims=True)
    tiny = abs(total) < 1000.0 * float(np.finfo(np.float32).eps)
    one, zero = ops.constant(1, factor.dtype), ops.constant(0, factor.dtype)
    shares = ops.select(tiny, zero, heights / ops.select(tiny, one, total))
    inside = ops.LogicalAnd()(centres >= -0.5, centres <= given - 0.5)
    return ops.select(inside, shares, zero)
