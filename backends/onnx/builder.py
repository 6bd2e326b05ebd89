"""Nodes of an ONNX graph while it grows: tensors are numbered, and named only at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerac.ir import Data, TensorType

ABSENT = ""  # ONNX's name of an optional operand that is not there
LONGEST_NAME = 24  # characters, of a constant that is called by what it holds


@dataclass(frozen=True)
class Node:
    """One node; an attribute may be a `Body`."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    origin: str


@dataclass
class Body:
    """The graph that a node such as Scan repeats; it may read tensors of the graph around it."""

    name: str
    inputs: list[tuple[str, TensorType]] = field(default_factory=list)
    outputs: list[tuple[str, TensorType]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)


class Builder:
    """Adds nodes and initializers, and remembers a wish for the name of each tensor."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[Node] = []
        self.initializers: dict[str, np.ndarray] = {}
        self.wishes: dict[str, str] = {}
        self.scope = ""
        self.origin = ""
        self._constants: dict[Data, str] = {}

    def new_name(self, wish: str) -> str:
        """A tensor that will be called `wish`, or, if that is taken, `wish_1` and so on."""
        name = f"%{len(self.wishes)}"
        self.wishes[name] = wish
        return name

    def node(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return its only result."""
        return self.results_of(op_type, *inputs, count=1, **attributes)[0]

    def results_of(
        self, op_type: str, *inputs: str, count: int, **attributes: Any
    ) -> tuple[str, ...]:
        """Add a node and return its first `count` results."""
        while inputs and inputs[-1] == ABSENT:
            inputs = inputs[:-1]
        outputs = tuple(self.new_name(f"{self.scope}/{op_type}") for _ in range(count))
        self.nodes.append(Node(op_type, inputs, outputs, attributes, self.origin))
        return outputs

    def initializer(self, array: np.ndarray, wish: str) -> str:
        """An array stored in the model."""
        name = self.new_name(wish)
        self.initializers[name] = array
        return name

    def constant(self, value: Any, dtype: np.dtype) -> str:
        """A small array, stored once however often it is asked for."""
        data = Data(np.array(value, dtype))
        if data not in self._constants:
            text = str(data) if len(str(data)) <= LONGEST_NAME else str(data.type)
            self._constants[data] = self.initializer(data.array, f"constant/{text}")
        return self._constants[data]

    def integers(self, *numbers: int) -> str:
        """A vector of i64, as ONNX wants shapes and axes."""
        return self.constant(numbers, np.dtype(np.int64))

    @contextmanager
    def scope_of(self, name: str, origin: str) -> Iterator[None]:
        """Nodes added in the block are called after `name` and come from `origin`."""
        before = self.scope, self.origin
        self.scope, self.origin = name, origin
        try:
            yield
        finally:
            self.scope, self.origin = before

    @contextmanager
    def body(self) -> Iterator[Body]:
        """Nodes added in the block belong to a body; shape arithmetic must stand before it."""
        body = Body(f"{self.scope}/body")
        outside, self.nodes = self.nodes, body.nodes
        try:
            yield body
        finally:
            self.nodes = outside
