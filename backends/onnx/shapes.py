"""Shapes as tensors: arithmetic on symbolic dimensions as nodes, and Reshape to such shapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from kerac.ir import Dim, DimLike, UnsupportedError, numpy_dtype
from kerac.ir.dims import FloorDivision
from kerac.ir.types import Shape

if TYPE_CHECKING:
    from kerac.backends.onnx.emitter import Emitter

FOLD_LIMIT = 4096  # elements that folding may add to a model
END = 2**63 - 1  # what Slice reads as "to the end"


def dim_tensor(emit: Emitter, dim: DimLike) -> str:
    """`dim` as i64[1]; exact for every value of its symbols."""
    if isinstance(dim, int):
        return emit.integers(dim)
    if dim not in emit.dims:
        with emit.scope_of(str(dim), ""):
            emit.dims[dim] = _polynomial(emit, dim)
    return emit.dims[dim]


def shape_tensor(emit: Emitter, shape: Sequence[DimLike]) -> str:
    """`shape` as i64[ndim]."""
    integers = [dim for dim in shape if isinstance(dim, int)]
    if len(integers) == len(shape):
        return emit.integers(*integers)
    pieces = [dim_tensor(emit, dim) for dim in shape]
    return pieces[0] if len(pieces) == 1 else emit.node("Concat", *pieces, axis=0)


def reshape(emit: Emitter, name: str, old: Shape, new: Shape, dtype: str) -> str:
    """The elements of `name`, whose shape is `old`, in the shape `new`."""
    if 0 in new:
        # Reshape reads 0 as "as before", and there is no element to move anyway.
        return fill(emit, 0, new, dtype)
    target: list[DimLike] = list(new)
    if _count_symbolic(target) > 1:
        for axis, (before, after) in enumerate(zip(old, new, strict=False)):
            if isinstance(after, Dim) and before == after:
                target[axis] = 0
    if _count_symbolic(target) == 1:
        # -1 is "what is left", which is exact because both shapes have the same number of elements.
        target = [-1 if isinstance(dim, Dim) else dim for dim in target]
    return emit.node("Reshape", name, shape_tensor(emit, target))


def can_reshape_freely(old: Shape, new: Shape) -> bool:
    """Whether `reshape` needs no arithmetic on shapes."""
    moved = [
        after
        for before, after in zip(old, new, strict=False)
        if isinstance(after, Dim) and before != after
    ]
    return len(moved) <= 1


def fill(emit: Emitter, number: float, shape: Shape, dtype: str) -> str:
    """A tensor full of `number`; stored where it is small, else computed."""
    lengths = [dim for dim in shape if isinstance(dim, int)]
    if len(lengths) == len(shape) and prod(lengths) <= FOLD_LIMIT:
        return emit.constant(np.full(lengths, number), numpy_dtype(dtype))
    scalar = emit.constant(number, numpy_dtype(dtype))
    return emit.node("Expand", scalar, shape_tensor(emit, shape))


def _count_symbolic(shape: Sequence[DimLike]) -> int:
    return sum(isinstance(dim, Dim) for dim in shape)


def _polynomial(emit: Emitter, dim: Dim) -> str:
    products = []
    for monomial, coefficient in dim.terms:
        factors = [_atom(emit, atom) for atom in monomial]
        if coefficient != 1 or not factors:
            factors.append(emit.integers(coefficient))
        products.append(reduce(lambda a, b: emit.node("Mul", a, b), factors))
    return reduce(lambda a, b: emit.node("Add", a, b), products)


def _atom(emit: Emitter, atom: str | FloorDivision) -> str:
    if isinstance(atom, str):
        return _symbol(emit, atom)
    # Div rounds towards zero, but what is left without the remainder divides exactly.
    numerator, divisor = dim_tensor(emit, atom.numerator), emit.integers(atom.denominator)
    whole = emit.node("Sub", numerator, emit.node("Mod", numerator, divisor))
    return emit.node("Div", whole, divisor)


def _symbol(emit: Emitter, symbol: str) -> str:
    """The length of the first axis of an input that is called so."""
    for value in emit.graph.inputs:
        for axis, dim in enumerate(value.shape):
            if str(dim) == symbol:
                return _axis_length(emit, emit.tensor(value), axis)
    raise UnsupportedError(
        f"the dimension {symbol} is needed, but no axis of an input has just this length",
        remedy="Fix this dimension, or give the graph an input with such an axis.",
    )


def _axis_length(emit: Emitter, name: str, axis: int) -> str:
    if emit.opset >= 15:
        return emit.node("Shape", name, start=axis, end=axis + 1)
    return emit.node(
        "Slice", emit.node("Shape", name), emit.integers(axis), emit.integers(axis + 1)
    )
