"""Leaves of a graph (inputs, parameters, constants), calls of others, and one of many results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.ir.data import Data
from kerac.ir.dims import DimLike, known_dim, substitute
from kerac.ir.errors import FormatError, ShapeError
from kerac.ir.graph import Graph, Value
from kerac.ir.op import Array, Op, ParseContext, literal_text
from kerac.ir.types import TensorType, Type, numpy_dtype


@dataclass(frozen=True)
class Input(Op):
    """An argument of the graph."""

    type: TensorType

    def infer(self) -> TensorType:
        return self.type

    def evaluate(self) -> Array:
        raise FormatError("an input has no value of its own")


@dataclass(frozen=True)
class Constant(Op):
    """An array that never changes.

    -> the type of `data`
    """

    data: Data

    def infer(self) -> TensorType:
        return self.data.type

    def evaluate(self) -> Array:
        return self.data.array

    def attribute_texts(self) -> list[str]:
        return [self.data.text()]

    @classmethod
    def from_text(
        cls, positional: list[Any], keywords: dict[str, Any], context: ParseContext
    ) -> Constant:
        literal = _only(cls, positional, keywords)
        declared = _declared(context, literal)
        digest = literal.removeprefix("#") if isinstance(literal, str) else None
        if digest is not None and digest in context.arrays:
            return cls(Data(context.arrays[digest]))
        return cls(Data.from_literal(literal, declared))


@dataclass(frozen=True)
class Parameter(Op):
    """A weight, called by its path.

    -> the type of `data`, its value when the graph was made; training may change it
    """

    name: str
    data: Data

    def infer(self) -> TensorType:
        return self.data.type

    def evaluate(self) -> Array:
        return self.data.array

    def attribute_texts(self) -> list[str]:
        return [literal_text(self.name)]

    @classmethod
    def from_text(
        cls, positional: list[Any], keywords: dict[str, Any], context: ParseContext
    ) -> Parameter:
        name = _only(cls, positional, keywords)
        if name in context.arrays:
            return cls(name, Data(context.arrays[name]))
        return cls(name, Data(None, type=_declared(context, name), digest=f"parameter {name}"))


@dataclass(frozen=True)
class Length(Op):
    """A dimension as a number, such as the size of the batch.

    -> dtype
    """

    dim: DimLike
    dtype: str = "f32"

    def infer(self) -> TensorType:
        return TensorType(self.dtype)

    def evaluate(self) -> Array:
        return np.asarray(known_dim(self.dim), numpy_dtype(self.dtype))


@dataclass(frozen=True)
class Call(Op):
    """Another graph applied to operands; several outputs make several results."""

    graph: Graph

    def infer(self, *operands: TensorType) -> Type:
        expected = [value.tensor_type for value in self.graph.inputs]
        if len(expected) != len(operands):
            raise ShapeError(
                f"{self.graph.name} takes {len(expected)} inputs, but got {len(operands)}"
            )
        bound = self.bound_symbols(operands)
        types = tuple(value.tensor_type.substitute(bound) for value in self.graph.outputs)
        return types[0] if len(types) == 1 else types

    def bound_symbols(self, operands: Sequence[TensorType]) -> dict[str, DimLike]:
        """What the called graph's symbols are for operands of these types."""
        bound: dict[str, DimLike] = {}
        for wanted, given in zip(self.graph.inputs, operands, strict=True):
            bind_symbols(wanted.tensor_type, given, bound)
        return bound

    def evaluate(self, *operands: Array) -> Any:
        """Evaluate the called graph value by value."""
        from kerac.ir.evaluate import evaluate_graph

        results = evaluate_graph(self.graph, operands)
        return results[0] if len(results) == 1 else results

    def multiply_adds(self, result: Value) -> DimLike:
        from kerac.ir.work import multiply_adds

        types = [operand.tensor_type for operand in result.operands]
        return substitute(multiply_adds(self.graph), self.bound_symbols(types))

    def attribute_texts(self) -> list[str]:
        return []


@dataclass(frozen=True)
class Item(Op):
    """One of several results.

    (t0, t1, ...) -> t[index]
    """

    index: int

    def infer(self, results: Type) -> TensorType:
        if not isinstance(results, tuple) or not 0 <= self.index < len(results):
            count = len(results) if isinstance(results, tuple) else 1
            raise ShapeError(f"result {self.index} is asked for, but there are {count}")
        return results[self.index]

    def evaluate(self, results: tuple[Array, ...]) -> Array:
        return results[self.index]


def constant(array: Any, dtype: str | None = None, name: str = "") -> Value:
    """A constant holding `array`, which is not copied and must not be written to afterwards."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        data = Data(np.asarray(array, dtype=numpy_dtype(dtype) if dtype else None))
    return Constant(data)(name=name)


def parameter(path: str, array: Array, name: str = "") -> Value:
    """The weight at `path`, such as `stem/kernel`."""
    return Parameter(path, Data(array))(name=name or path.replace("/", "_"))


def graph_input(name: str, type: TensorType) -> Value:
    """An argument of a graph."""
    return Input(type)(name=name)


def item(results: Value, index: int, name: str = "") -> Value:
    """Result number `index` of an op with several results."""
    return Item(index)(results, name=name)


def call(graph: Graph, *operands: Value) -> Value:
    """Apply `graph` to `operands`."""
    return Call(graph)(*operands, name=graph.name)


def bind_symbols(wanted: TensorType, given: TensorType, bound: dict[str, DimLike]) -> None:
    """Extend `bound` so that `wanted` becomes `given`; ShapeError where no values do that."""
    fits = wanted.dtype == given.dtype and wanted.ndim == given.ndim
    if fits:
        for want, have in zip(wanted.shape, given.shape, strict=True):
            if not isinstance(want, int) and len(want.symbols) == 1 and str(want) in want.symbols:
                bound.setdefault(str(want), have)
        fits = wanted.substitute(bound) == given
    if not fits:
        raise ShapeError(f"an input is {wanted}, but {given} was given")


def _only(cls: type[Op], positional: list[Any], keywords: dict[str, Any]) -> Any:
    if len(positional) != 1 or keywords:
        raise FormatError(f"{cls.text_name} takes one argument")
    return positional[0]


def _declared(context: ParseContext, literal: Any) -> TensorType:
    if isinstance(context.declared, TensorType):
        return context.declared
    if isinstance(literal, float):
        return TensorType("f32")
    raise FormatError(
        "a constant or parameter needs a declared type, as `k: f32[3, 3] = parameter(...)`"
    )
