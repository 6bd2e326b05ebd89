"""What networks are made of: convolutions, pooling, normalization, patches."""

from __future__ import annotations

from math import sqrt
from typing import Any

from kerac import backend
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.ir.gradients.reverse import reverse
from kerac.layers.convolution import depthwise
from kerac.layers.data_format import from_last, to_last
from kerac.layers.masks import as_bool
from kerac.layers.transposed_convolution import TransposedWindow
from kerac.ops.axes import axes_within, axis_within, is_named
from kerac.ops.promotion import Operand, chosen_dtype, floating, floats
from kerac.ops.registry import operation

Sizes = int | tuple[int, ...]


def data_format_of(given: str | None) -> Any:
    """Where channels stand; None means as the backend says."""
    if given not in (None, "channels_last", "channels_first"):
        raise CompileError(
            f"data_format is {given!r}, but must be 'channels_last' or 'channels_first'"
        )
    return given or backend.image_data_format()


def for_each_axis(given: Any, rank: int, what: str) -> tuple[int, ...]:
    """One number for each spatial axis."""
    numbers = (int(given),) * rank if isinstance(given, int) else tuple(map(int, given))
    if len(numbers) == 1:
        numbers *= rank
    if len(numbers) != rank or min(numbers) < 1:
        raise CompileError(f"{what} is {given}, but must be {rank} positive numbers")
    return numbers


def _window(strides: Sizes, padding: str, dilation_rate: Sizes, rank: int, groups: int) -> Any:
    return ops.Convolution(
        strides=for_each_axis(strides, rank, "strides"),
        padding=padding.lower(),
        dilation=for_each_axis(dilation_rate, rank, "dilation_rate"),
        groups=groups,
    )


@operation("nn")
def conv(
    inputs: Value,
    kernel: Value,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Value:
    """Each kernel over all channels of its group.

    inputs: t[N, *spatial, C], kernel: t[*window, C/groups, F] -> t[N, *positions, F]
    """
    format_ = data_format_of(data_format)
    inputs, kernel = floats(inputs, kernel)
    x = to_last(inputs, format_)
    rank, groups = x.ndim - 2, _groups(x, kernel)
    return from_last(_window(strides, padding, dilation_rate, rank, groups)(x, kernel), format_)


def _groups(x: Value, kernel: Value) -> int:
    channels, each = x.shape[-1], kernel.shape[-2]
    if not isinstance(channels, int) or channels % each:
        raise ShapeError(
            f"the number of channels, {channels}, must be a multiple of the kernel's, {each}"
        )
    return int(channels // each)


@operation("nn")
def depthwise_conv(
    inputs: Value,
    kernel: Value,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Value:
    """Kernels over each channel alone: t[*window, C, M] -> C*M channels."""
    format_ = data_format_of(data_format)
    inputs, kernel = floats(inputs, kernel)
    x = to_last(inputs, format_)
    window = _window(strides, padding, dilation_rate, x.ndim - 2, x.shape[-1])
    return from_last(depthwise(window, x, kernel), format_)


@operation("nn")
def separable_conv(
    inputs: Value,
    depthwise_kernel: Value,
    pointwise_kernel: Value,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Value:
    """Kernels over each channel alone, then a product that mixes channels."""
    format_ = data_format_of(data_format)
    inputs, first, second = floats(inputs, depthwise_kernel, pointwise_kernel)
    x = to_last(inputs, format_)
    window = _window(strides, padding, dilation_rate, x.ndim - 2, x.shape[-1])
    return from_last(ops.Convolution()(depthwise(window, x, first), second), format_)


@operation("nn")
def conv_transpose(
    inputs: Value,
    kernel: Value,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Value:
    """Each place of the input spreads a kernel: t[*window, F, C]."""
    format_ = data_format_of(data_format)
    inputs, kernel = floats(inputs, kernel)
    x = to_last(inputs, format_)
    rank = x.ndim - 2
    more = (output_padding,) * rank if isinstance(output_padding, int) else output_padding
    window = TransposedWindow(
        for_each_axis(strides, rank, "strides"),
        padding.lower(),
        None if more is None else tuple(more),
        for_each_axis(dilation_rate, rank, "dilation_rate"),
    )
    return from_last(window.apply(x, kernel), format_)


def _pool(
    op: type[ops.Pool],
    inputs: Value,
    pool_size: Sizes,
    strides: Sizes | None,
    padding: str,
    data_format: str | None,
) -> Value:
    format_ = data_format_of(data_format)
    x = to_last(floating(inputs), format_)
    window = for_each_axis(pool_size, x.ndim - 2, "pool_size")
    steps = window if strides is None else for_each_axis(strides, x.ndim - 2, "strides")
    return from_last(op(window, steps, padding.lower())(x), format_)


@operation("nn")
def max_pool(
    inputs: Value,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Value:
    """The largest element of each window."""
    return _pool(ops.MaxPool, inputs, pool_size, strides, padding, data_format)


@operation("nn")
def average_pool(
    inputs: Value,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Value:
    """The mean of each window."""
    return _pool(ops.AveragePool, inputs, pool_size, strides, padding, data_format)


def _adaptive(kind: str, inputs: Value, output_size: Any, data_format: str | None) -> Value:
    from kerac.layers import adaptive_pooling

    rank = inputs.ndim - 2
    layer = getattr(adaptive_pooling, f"Adaptive{kind}Pooling{rank}D")
    found: Value = layer(output_size, data_format=data_format_of(data_format)).call(inputs)
    return found


@operation("nn")
def adaptive_average_pool(
    inputs: Value, output_size: Sizes, data_format: str | None = None
) -> Value:
    """Means of windows that are as large as it takes."""
    return _adaptive("Average", inputs, output_size, data_format)


@operation("nn")
def adaptive_max_pool(inputs: Value, output_size: Sizes, data_format: str | None = None) -> Value:
    """Largest elements of windows that are as large as it takes."""
    return _adaptive("Max", inputs, output_size, data_format)


def along(x: Value, vector: Value, axes: tuple[int, ...]) -> Value:
    """A vector, or what has the lengths of some axes, so that it broadcasts over x."""
    if vector.ndim == x.ndim:
        return vector
    shape = tuple(dim if axis in axes else 1 for axis, dim in enumerate(x.shape))
    return ops.reshape(vector, shape)


@operation("nn", "BatchNorm")
def batch_normalization(
    x: Value,
    mean: Value,
    variance: Value,
    axis: int,
    offset: Value | None = None,
    scale: Value | None = None,
    epsilon: float = 0.001,
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset."""
    place = axis_within(axis, x.ndim)
    vectors = [mean, variance, scale, offset]
    given = floats(x, *(v for v in vectors if v is not None))
    x, rest = given[0], iter(given[1:])
    found = [None if v is None else ops.reshape(next(rest), (x.shape[place],)) for v in vectors]
    return ops.BatchNorm(place, epsilon)(x, *found)


@operation("nn", "LayerNorm")
def layer_normalization(
    x: Value,
    gamma: Value | None = None,
    beta: Value | None = None,
    axis: int | list[int] | tuple[int, ...] = -1,
    epsilon: float | None = None,
    rms_scaling: bool = False,
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance along axes."""
    axes = axes_within(axis, x.ndim)
    wide = ops.cast(x, "f64" if x.dtype == "f64" else "f32")
    smallest = backend.epsilon() if epsilon is None else epsilon
    centred = wide - ops.reduce_mean(wide, axes, keepdims=True)
    variance = ops.reduce_mean(centred * centred, axes, keepdims=True)
    inverse = ops.Rsqrt()(variance + smallest)
    result = (wide if rms_scaling else centred) * inverse
    if gamma is not None:
        result = result * along(x, ops.cast(gamma, wide.dtype), axes)
    if beta is not None and not rms_scaling:
        result = result + along(x, ops.cast(beta, wide.dtype), axes)
    return ops.cast(result, x.dtype)


@operation("nn", "RMSNorm")
def rms_normalization(
    x: Value,
    scale: Value | None = None,
    axis: int | list[int] | tuple[int, ...] = -1,
    epsilon: float | None = None,
) -> Value:
    """x / sqrt(mean of squares + epsilon) * scale."""
    axes = axes_within(axis, x.ndim)
    wide = ops.cast(x, "f64" if x.dtype == "f64" else "f32")
    squares = ops.reduce_mean(wide * wide, axes, keepdims=True)
    result = wide * ops.Rsqrt()(squares + (backend.epsilon() if epsilon is None else epsilon))
    if scale is not None:
        result = result * ops.cast(scale, wide.dtype)
    return ops.cast(result, x.dtype)


@operation("nn")
def one_hot(
    x: Value, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Value:
    """1 at the place that a number names, 0 at all others."""
    named = is_named(x, num_classes, axis_within(axis, x.ndim + 1))
    return ops.cast(named, chosen_dtype(dtype))


@operation("nn")
def dot_product_attention(
    query: Value,
    key: Value,
    value: Value,
    bias: Value | None = None,
    mask: Value | None = None,
    scale: Operand | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Value:
    """Attention of several heads: query, key and value t[N, steps, heads, features]."""
    if attn_logits_soft_cap is not None:
        raise CompileError("attn_logits_soft_cap is given, but is known on other devices alone")
    query, key, value = floats(query, key, value)
    factor = 1 / sqrt(query.shape[-1]) if scale is None else scale
    if isinstance(factor, Value):
        query, factor = query * factor, 1.0
    given = None if bias is None else ops.cast(bias, query.dtype)
    allowed = None if mask is None else as_bool(mask)
    return ops.Attention(float(factor), is_causal)(query, key, value, allowed, given)


@operation("nn")
def multi_hot(
    inputs: Value,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
    num_tokens: int | None = None,
) -> Value:
    """1 at all places that the numbers of a row name, 0 at all others."""
    count = num_tokens if num_classes is None else num_classes
    if count is None:
        raise CompileError("num_classes is None, but must be given")
    named = is_named(inputs, count, axis_within(axis, inputs.ndim + 1))
    found = ops.cast(named, chosen_dtype(dtype))
    return ops.reduce_max(found, (1 if inputs.ndim > 1 else 0,))


@operation("nn", "PSNR")
def psnr(x1: Value, x2: Value, max_val: float) -> Value:
    """How much larger the largest possible value is than the error, in decibels."""
    from math import log, log10

    x1, x2 = floats(x1, x2)
    away = x1 - x2
    error = ops.reduce_mean(away * away, tuple(range(away.ndim)))
    return 20 * log10(max_val) - ops.Log()(error) * (10 / log(10))


def _pair(given: Sizes) -> tuple[int, int]:
    return (given, given) if isinstance(given, int) else (given[0], given[1])


@operation("nn")
def unfold(
    x: Value, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Value:
    """What each window covers, as columns: t[N, C, H, W] -> t[N, C * window, positions]"""
    if x.ndim != 4:
        raise ShapeError(f"x must be t[N, C, H, W], but is {x.type}")
    sizes, spread, steps = (_pair(v) for v in (kernel_size, dilation, stride))
    down, across = _pair(padding)
    if down or across:
        x = ops.Pad(((0, 0), (0, 0), (down, down), (across, across)))(x)
    batch, channels, *lengths = x.shape
    counts = [
        (length - (size - 1) * gap - 1) // step + 1
        for length, size, gap, step in zip(lengths, sizes, spread, steps, strict=True)
    ]
    parts = []
    for row in range(sizes[0]):
        for column in range(sizes[1]):
            starts = (row * spread[0], column * spread[1])
            stops = [s + (n - 1) * t + 1 for s, n, t in zip(starts, counts, steps, strict=True)]
            start, stop = (0, 0, *starts), (batch, channels, *stops)
            seen = ops.Slice(start, stop, (1, 1, *steps))(x)
            parts.append(ops.reshape(seen, (batch, channels, 1, counts[0] * counts[1])))
    whole = ops.concatenate(parts, 2)
    return ops.reshape(whole, (batch, channels * len(parts), counts[0] * counts[1]))


@operation("nn")
def fold(
    x: Value,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Value:
    """The sums of columns where windows that they come from overlap; `unfold` turned round."""
    sizes = _pair(kernel_size)
    channels = x.shape[1] // (sizes[0] * sizes[1])
    # unfold is linear, and its gradient adds each column where it was taken
    shape = (x.shape[0], channels, *_pair(output_size))
    place = ops.graph_input("place", x.tensor_type.with_shape(shape))
    (found,) = reverse([unfold(place, kernel_size, dilation, padding, stride)], [x], [place])
    if found is None:
        raise ShapeError(f"columns {x.type} do not fit windows of {kernel_size}")
    return found


@operation("math")
def extract_sequences(x: Value, sequence_length: int, sequence_stride: int) -> Value:
    """Parts of one length along the last axis: t[..., T] -> t[..., count, sequence_length]"""
    length = x.shape[-1]
    count = (length - sequence_length) // sequence_stride + 1
    starts = ops.iota((count, 1), 0) * sequence_stride
    places = starts + ops.iota((1, sequence_length), 1)
    axis = x.ndim - 1
    found = ops.gather(ops.transpose(x, (axis, *range(axis))), places)
    return ops.transpose(found, (*range(2, axis + 2), 0, 1))
