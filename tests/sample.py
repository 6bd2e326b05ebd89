"""One op on typed operands with numbers that suit it; the rows stand in `tests/samples.py`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from kerac.ir import Graph, Op, TensorType, Value
from kerac.ir.op import op_text, operand_names
from kerac.ir.ops import Input, graph_input, parameter
from kerac.ir.types import parse_type

# What symbols in the rows stand for when arrays are made; tests may bind others.
SIZES = {"N": 3, "T": 5, "H": 7, "W": 6}


@dataclass(frozen=True)
class Operand:
    """A tensor with elements from low ... high; a weight is a parameter, not an input."""

    type: TensorType
    low: float = -2.0
    high: float = 2.0
    is_weight: bool = False
    special: tuple[float, ...] = ()  # numbers that must occur, where there is room

    def array(self, generator: np.random.Generator, sizes: Mapping[str, int]) -> np.ndarray:
        """Random elements."""
        shape = self.type.substitute(sizes).shape
        dtype = self.type.numpy_dtype
        if self.type.dtype == "bool":
            return generator.random(shape) < 0.6
        if not self.type.is_float:
            return generator.integers(int(self.low), int(self.high), shape, endpoint=True).astype(
                dtype
            )
        array = generator.uniform(self.low, self.high, shape).astype(dtype)
        flat = array.reshape(-1)
        flat[: len(self.special)] = self.special[: flat.size]
        return array


@dataclass(frozen=True)
class Sample:
    """An op and its operands: tensors, None where absent, or the result of another sample."""

    op: Op
    operands: tuple[Operand | Sample | None, ...] = ()
    tolerance: float = 1e-5
    name: str = field(default="", compare=False)

    def graph(self, weights_are_inputs: bool = False, seed: int = 0) -> Graph:
        """A function that applies the op to all operands, or to those that are not weights."""
        generator = np.random.default_rng([seed, 1])
        inputs: list[Value] = []
        if isinstance(self.op, Input):
            inputs.append(graph_input("x", self.op.type))
            return Graph("sample", tuple(inputs), tuple(inputs))
        result = self._apply(inputs, weights_are_inputs, generator, "")
        outputs = (result,)
        if isinstance(result.type, tuple):
            from kerac.ir.ops import item

            outputs = tuple(item(result, index) for index in range(len(result.type)))
        return Graph("sample", tuple(inputs), outputs)

    def arrays(
        self, weights_are_inputs: bool = False, seed: int = 0, sizes: Mapping[str, int] = SIZES
    ) -> list[np.ndarray]:
        """Random arrays for the inputs of `graph(weights_are_inputs)`."""
        generator = np.random.default_rng([seed, 2])
        if isinstance(self.op, Input):
            return [Operand(self.op.type).array(generator, sizes)]
        return [
            operand.array(generator, sizes)
            for operand in self._tensors()
            if weights_are_inputs or not operand.is_weight
        ]

    def called(self, name: str) -> Sample:
        """The same sample under another name."""
        return replace(self, name=name)

    def _tensors(self) -> list[Operand]:
        found: list[Operand] = []
        for operand in self.operands:
            if isinstance(operand, Sample):
                found += operand._tensors()
            elif operand is not None:
                found.append(operand)
        return found

    def _apply(
        self,
        inputs: list[Value],
        weights_are_inputs: bool,
        generator: np.random.Generator,
        prefix: str,
    ) -> Value:
        values: list[Value | None] = []
        for name, operand in zip(
            operand_names(type(self.op), len(self.operands)), self.operands, strict=True
        ):
            path = prefix + name.replace("[", "_").replace("]", "")
            if isinstance(operand, Sample):
                values.append(operand._apply(inputs, weights_are_inputs, generator, f"{path}_"))
            elif operand is None:
                values.append(None)
            elif operand.is_weight and not weights_are_inputs:
                values.append(parameter(path, operand.array(generator, {})))
            else:
                inputs.append(graph_input(path, operand.type))
                values.append(inputs[-1])
        return self.op(*values, name="result")


def tensor(
    text: str, low: float = -2.0, high: float = 2.0, special: tuple[float, ...] = ()
) -> Operand:
    """An input such as `tensor("f32[N, 3]")`; integers too lie between low and high, inclusive."""
    return Operand(_type(text), low, high, special=special)


def weight(text: str, low: float = -1.0, high: float = 1.0) -> Operand:
    """A parameter such as `weight("f32[3, 3, 4, 8]")`."""
    return Operand(_type(text), low, high, is_weight=True)


def numbered(samples: list[Sample]) -> tuple[Sample, ...]:
    """Name each sample by its op and a number."""
    counts: dict[str, int] = {}
    named = []
    for sample in samples:
        text = sample.op.text_name
        counts[text] = counts.get(text, 0) + 1
        named.append(sample if sample.name else sample.called(f"{text}-{counts[text]}"))
    return tuple(named)


def describe(sample: Sample) -> str:
    """The op with its attributes and the operands' types."""
    types = (
        "-"
        if operand is None
        else describe(operand)
        if isinstance(operand, Sample)
        else str(operand.type)
        for operand in sample.operands
    )
    return f"{op_text(sample.op)} on {', '.join(types)}"


def _type(text: str) -> TensorType:
    type_ = parse_type(ast.parse(text, mode="eval").body)
    if not isinstance(type_, TensorType):
        raise TypeError(f"{text} is the type of several tensors")
    return type_
