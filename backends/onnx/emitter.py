"""What exporters write with: tensors of values in any order of axes, constants, broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerac.backends.onnx.builder import Builder
from kerac.backends.onnx.order import Order, Orders, identity, permuted, same_layout
from kerac.backends.onnx.registry import Result, exporter_of
from kerac.backends.onnx.shapes import FOLD_LIMIT, can_reshape_freely, reshape
from kerac.ir import Dim, Graph, InternalError, TensorType, Value
from kerac.ir.ops.constant import Constant, Parameter
from kerac.ir.types import is_static


class Emitter(Builder):
    """Exports one value after the other; `value` is the one at hand.

    forms: the tensors that hold a value, by the order of their axes
    results: the same for each result of an op that has several
    arrays, labels: what values are that depend on nothing but constants, and what to call them
    taken_backwards: sequences of recurrent ops in the order of time, where the op has it reversed
    """

    def __init__(self, graph: Graph, opset: int) -> None:
        super().__init__(opset)
        self.graph = graph
        self.forms: dict[Value, dict[Order, str]] = {}
        self.results: dict[Value, tuple[Result, ...]] = {}
        self.arrays: dict[Value, np.ndarray] = {}
        self.labels: dict[Value, str] = {}
        self.taken_backwards: dict[Value, dict[Order, str]] = {}
        self.types: dict[str, TensorType] = {}
        self.dims: dict[Dim, str] = {}
        self.value: Value = graph.outputs[0]
        self._wanted = wanted_orders(graph)
        for value in graph.inputs:
            self._store(value, self.new_name(""), value.name or "input")

    @property
    def wanted(self) -> Orders:
        """The orders in which users of the value at hand want to read it."""
        return self._wanted.get(self.value, frozenset())

    def export(self, value: Value, name: str = "") -> None:
        """Add the nodes of `value`, or fold it where it is constant."""
        if value in self.forms or value in self.results or value in self.arrays:
            return
        name = name or value.name or value.op.text_name
        if self._fold(value, name) and value.operands:
            return
        exporter = exporter_of(type(value.op))
        outer, self.value = self.value, value
        with self.scope_of(self.labels.get(value, name), str(value.origin)):
            if exporter is None:
                self._store(value, self.expand(value.op.decompose(*value.inputs)), self.scope)
            elif isinstance(value.type, tuple):
                self.results[value] = exporter.export(self, value.op, *value.inputs)
            else:
                self._store(value, exporter.export(self, value.op, *value.inputs), self.scope)
        self.value = outer

    def expand(self, value: Value | None) -> dict[Order, str]:
        """Export `value`, which simpler ops make of values that are exported already."""
        if value is None:
            raise InternalError(f"{self.value.op.text_name} has no exporter")
        for step in Graph("expanded", (), (value,)).values:
            self.export(step, f"{self.scope}/{step.op.text_name}")
        self.tensor(value)
        return self.forms[value]

    def _store(self, value: Value, result: Result, wish: str) -> None:
        forms = result if isinstance(result, dict) else {identity(value.ndim): result}
        self.forms[value] = dict(forms)
        for order, name in forms.items():
            if name not in self.types:
                self.types[name] = value.tensor_type.with_shape(permuted(value.shape, order))
                self.wishes[name] = wish

    def _fold(self, value: Value, name: str) -> bool:
        """Compute a value of constants alone, unless that makes the model larger."""
        if isinstance(value.type, tuple) or not is_static(value.shape):
            return False
        if not value.operands and not isinstance(value.op, Constant | Parameter):
            return False
        if any(operand not in self.arrays for operand in value.operands):
            return False
        operands = [None if operand is None else self.arrays[operand] for operand in value.inputs]
        before = sum(array.size for array in operands if array is not None)
        if operands and np.prod(value.shape) > max(before, FOLD_LIMIT):
            return False
        with np.errstate(all="ignore"):
            self.arrays[value] = value.op.computed(*operands)
        labels = {self.labels[operand] for operand in value.operands}
        if isinstance(value.op, Parameter):
            labels = {value.op.name}
        self.labels[value] = labels.pop() if len(labels) == 1 else name
        return True

    def tensor(self, value: Value, order: Order | None = None) -> str:
        """The tensor of `value` with its axes in `order`, or in the value's own."""
        order = identity(value.ndim) if order is None else order
        forms = self.forms.setdefault(value, {})
        if order not in forms:
            if value in self.arrays:
                array = self.arrays[value].transpose(order)
                forms[order] = self.initializer(array, self.labels[value])
            else:
                forms[order] = self._reorder(value, order)
        return forms[order]

    def _reorder(self, value: Value, order: Order) -> str:
        forms = self.forms[value]
        alike = [old for old in forms if same_layout(value.shape, old, order)]
        old = (alike or list(forms))[0]
        shapes = permuted(value.shape, old), permuted(value.shape, order)
        with self.scope_of(self.wishes[forms[old]], str(value.origin)):
            if alike and can_reshape_freely(*shapes):
                name = reshape(self, forms[old], *shapes, value.dtype)
            else:
                name = self.node("Transpose", forms[old], perm=[old.index(axis) for axis in order])
        self.types[name] = value.tensor_type.with_shape(shapes[1])
        return name

    def row_major_order(self, value: Value) -> Order:
        """An order in which the elements lie in memory as they do in the value's own."""
        own, forms = identity(value.ndim), self.forms.get(value, {})
        return next((order for order in forms if same_layout(value.shape, order, own)), own)

    def choose_order(self, *operands: Value) -> Order:
        """The order of the result that needs the fewest transposes, of operands and of itself."""
        whole = [v for v in operands if v.ndim == self.value.ndim and v not in self.arrays]
        offered = [order for operand in whole for order in self.forms[operand]]

        def cost(order: Order) -> tuple[int, bool, bool]:
            moved = sum(not self._is_free(operand, order) for operand in whole)
            moved += sum(not same_layout(self.value.shape, order, use) for use in self.wanted)
            # Of two equal ways take the one that keeps a node and its only reader together, or else
            # the one that moves the operand, so that other readers share the transpose.
            alone = any(order in self.forms[v] and self.graph.uses.get(v) == 1 for v in whole)
            return moved, not alone, order not in self.wanted

        candidates = dict.fromkeys([*offered, *sorted(self.wanted)])
        return min(candidates or [identity(self.value.ndim)], key=cost)

    def _is_free(self, value: Value, order: Order) -> bool:
        return any(same_layout(value.shape, order, old) for old in self.forms[value])

    def align(self, value: Value, axes: Sequence[int], order: Order) -> str:
        """`value`, its axis k being axis `axes[k]` of a result in `order`, ready to broadcast."""
        inner = tuple(list(axes).index(axis) for axis in order if axis in axes)
        places = [place for place, axis in enumerate(order) if axis in axes]
        # Broadcasting adds the axes before the first place by itself.
        missing = [place - places[0] for place in range(len(order)) if place not in places]
        missing = [place for place in missing if place > 0]
        if not missing:
            return self.tensor(value, inner)
        if value in self.arrays:
            array = np.expand_dims(self.arrays[value].transpose(inner), tuple(missing))
            return self.initializer(array, self.labels[value])
        return self.node("Unsqueeze", self.tensor(value, inner), self.integers(*missing))

    def broadcast(self, value: Value, order: Order) -> str:
        """`value` so that it broadcasts, as NumPy has it, to a result in `order`."""
        if value.ndim == 0:
            return self.tensor(value)
        return self.align(value, range(len(order) - value.ndim, len(order)), order)


def wanted_orders(graph: Graph) -> dict[Value, Orders]:
    """The orders in which users of each value, or users of theirs, want to read it."""
    found: dict[Value, set[Order]] = {value: set() for value in graph.values}
    for output in graph.outputs:
        found[output].add(identity(output.ndim))
    for value in reversed(graph.values):
        exporter = exporter_of(type(value.op))
        for operand in value.operands:
            if exporter is not None and not isinstance(operand.type, tuple):
                found[operand] |= exporter.wants(value, operand, frozenset(found[value]))
    return {value: frozenset(orders) for value, orders in found.items()}
