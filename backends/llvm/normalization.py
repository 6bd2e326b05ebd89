"""Layer norm, by statistics of each sample, and batch norm that was not folded, by given ones."""

from __future__ import annotations

import numpy as np

from kerac.backends.llvm.elementwise import for_each_element
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Mask, Register
from kerac.backends.llvm.lines import Line, Nest, for_each_line
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import (
    Position,
    epilogue_shapes,
    for_each_vector,
    load_at,
    piece_shapes,
)
from kerac.ir.graph import Value
from kerac.ir.ops.constant import Constant, Parameter
from kerac.ir.ops.normalization import BatchNorm, LayerNorm
from kerac.ir.types import Shape, TensorType, computing_dtype, numpy_dtype


@lowers(LayerNorm, reads_pieces=(0,))
def lower_layer_norm(lowering: Lowering, group: Group) -> None:
    """y[i] = (x[i] - mean) / sqrt(mean of (x - mean)^2 + epsilon) * gamma[i] + beta[i]"""
    anchor = group.head
    op = group.head_op(LayerNorm)
    x, (gamma, beta) = anchor.operands[0], (*anchor.inputs[1:], None, None)[:2]
    k = lowering.kernel(group)
    dtype = computing_dtype(x.dtype)
    # gamma and beta have the axes that are reduced, so runs of axes never mix both kinds
    parameters = tuple(dim if axis in op.axes else 1 for axis, dim in enumerate(x.shape))
    nest = Nest.of(x.shape, op.axes, [parameters, *epilogue_shapes(k)], k.pitch(x))

    def normalize(line: Line) -> None:
        count = k.dim(nest.count)
        number = k.convert(count, dtype) if isinstance(count, Register) else float(count)
        mean = line.sum(lambda value: value) / number
        variance = line.sum(lambda value: (value - mean) * (value - mean)) / number
        scale = 1.0 / k.mathematics.sqrt(variance + op.epsilon)

        def finish(value: Register, position: Position, mask: Mask) -> None:
            def parameter(given: Value) -> Register:
                loaded = load_at(k, given, position, x.shape, value.kind.lanes, mask, parameters)
                return k.convert(loaded, dtype)

            result = (value - mean) * scale
            if gamma is not None and beta is not None:
                result = k.fma(result, parameter(gamma), parameter(beta))
            elif gamma is not None:
                result = result * parameter(gamma)
            elif beta is not None:
                result = result + parameter(beta)
            k.finish(k.convert(result, anchor.dtype), position, mask)

        line.each(finish)

    for_each_line(k, nest, k.read(x), dtype, normalize)
    lowering.launch(k)


@lowers(BatchNorm, reads_pieces=(0,))
def lower_batch_norm(lowering: Lowering, group: Group) -> None:
    """y[i, c] = (x[i, c] - mean[c]) * gamma[c] / sqrt(variance[c] + epsilon) + beta[c]"""
    anchor = group.head
    op = group.head_op(BatchNorm)
    x, mean, variance = anchor.operands[:3]
    gamma, beta = (*anchor.inputs[3:], None, None)[:2]
    scale = scales(lowering, group, op, variance, gamma)
    k = lowering.kernel(group)
    dtype = computing_dtype(x.dtype)
    channels = tuple(dim if axis == op.axis else 1 for axis, dim in enumerate(x.shape))

    def element(position: Position, lanes: int, mask: Mask) -> None:
        def read(source: Value | Buffer, shape: Shape | None = None) -> Register:
            return k.convert(load_at(k, source, position, x.shape, lanes, mask, shape), dtype)

        result = (read(x) - read(mean, channels)) * read(scale, channels)
        if beta is not None:
            result = result + read(beta, channels)
        k.finish(k.convert(result, anchor.dtype), position, mask)

    for_each_element(k, x.shape, [channels, *piece_shapes(k, x), *epilogue_shapes(k)], element)
    lowering.launch(k)


def scales(
    lowering: Lowering, group: Group, op: BatchNorm, variance: Value, gamma: Value | None
) -> Buffer:
    """gamma / sqrt(variance + epsilon): now, where both are known, else by a kernel."""
    dtype = computing_dtype(variance.dtype)
    given = _known(variance), None if gamma is None else _known(gamma)
    if given[0] is not None and (gamma is None or given[1] is not None):
        key = ("scale", id(given[0]), id(given[1]), op.epsilon, dtype)
        if key not in lowering.packed:
            array = 1 / np.sqrt(given[0].astype(np.float64) + op.epsilon)
            if given[1] is not None:
                array = array * given[1].astype(np.float64)
            lowering.packed[key] = array.astype(numpy_dtype(dtype))
        return lowering.constant(lowering.packed[key], "scale")
    scale = lowering.scratch(TensorType(dtype, variance.shape), "scale")
    k = lowering.kernel(group, "scale")

    def vector(c: Index, lanes: int, mask: Mask) -> None:
        root = k.mathematics.sqrt(
            k.convert(k.load(k.read(variance), c, lanes, mask), dtype) + op.epsilon
        )
        numerator = (
            1.0 if gamma is None else k.convert(k.load(k.read(gamma), c, lanes, mask), dtype)
        )
        k.store(k.write(scale), c, numerator / root, mask)

    for_each_vector(k, "c", variance.shape[0], vector)
    lowering.launch(k)
    return scale


def _known(value: Value) -> np.ndarray | None:
    """The array a value holds, where that is known now."""
    if isinstance(value.op, Constant | Parameter) and value.op.data.is_known:
        return value.op.data.array
    return None
