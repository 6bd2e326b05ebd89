"""Linear recurrences over time: elementwise work, and a product that blocks of rows share."""

from __future__ import annotations

from typing import Any

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Pointer, Register
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.recurrent_back import BackProduct, in_blocks
from kerac.backends.llvm.recurrent_weights import UnitBlock, UnitLayout, over_units, working_memory
from kerac.ir.graph import Value
from kerac.ir.op import operand_names
from kerac.ir.ops.constant import Item
from kerac.ir.ops.linear_recurrence import LinearRecurrence
from kerac.ir.types import TensorType, computing_dtype, numpy_dtype


@lowers(LinearRecurrence, epilogue=False)
def lower_linear_recurrence(lowering: Lowering, group: Group) -> None:
    """state = decay[t] * s[t] + p @ matrix, for t upwards or downwards."""
    _Recurrence(lowering, group).emit()


class _Recurrence:
    """One linear recurrence under construction."""

    def __init__(self, lowering: Lowering, group: Group) -> None:
        self.lowering, self.op = lowering, group.head_op(LinearRecurrence)
        inputs = group.head.inputs
        names = operand_names(LinearRecurrence, len(inputs))
        self.k = lowering.kernel(group)
        self.given: dict[str, Value] = {
            name: value for name, value in zip(names, inputs, strict=True) if value is not None
        }
        entry = self.given["entry"]
        self.batch, self.steps, self.width = entry.shape
        self.dtype = computing_dtype(entry.dtype)
        lanes = lowering.target.lanes(numpy_dtype(self.dtype).itemsize)
        self.units = UnitLayout(self.width, lanes)
        matrix = self.given.get("matrix")
        self.gates = 0 if matrix is None else matrix.shape[0] // self.width
        self.results: list[list[Value]] = [[] for _ in range(4)]
        for item in lowering.graph.consumers[group.head]:
            if isinstance(item.op, Item):
                self.results[item.op.index].append(item)
        self.state, self.cell = self._memory("state", 1), self._memory("cell", 1)
        self.products = self._memory("products", self.gates) if self.gates else self.state

    def _memory(self, name: str, rows: int) -> Pointer:
        return working_memory(
            self.k, TensorType(self.dtype, (self.batch, rows * self.units.row)), name
        )

    def emit(self) -> None:
        """Build and launch the kernel."""
        k = self.k
        cost = k.multiply(k.dim(self.steps), (self.gates * self.width + 8) * self.width)
        in_blocks(k, self.batch, cost, self._rows)
        self.lowering.launch(k)

    def _rows(self, first: Index, stop: Index) -> None:
        k, total = self.k, self.k.dim(self.steps)
        product = None
        if self.gates:
            matrix = k.read(self.given["matrix"])
            scale = k.read(self.given["scale"]) if "scale" in self.given else None
            product = BackProduct(
                k, self.units, self.gates, matrix, self.products, self.state, scale
            )

        def step(p: Index) -> None:
            time = k.subtract(k.subtract(total, 1), p) if self.op.reverse else p

            def row_of_step(n: Index) -> None:
                row = k.add(k.multiply(n, total), time)
                over_units(k, self.units, 1, lambda block: self._elementwise(n, row, block))

            k.loop("r", first, stop, row_of_step)
            if product is not None:
                product.add(first, stop)

        k.loop("r", first, stop, self._begin)
        k.loop("p", 0, total, step)
        k.loop("r", first, stop, self._end)

    @property
    def _own(self) -> tuple[tuple[Pointer, str, int], ...]:
        """The states: their memory, what they begin with, and the result they end in."""
        return ((self.state, "initial", 1), (self.cell, "initial_cell", 3))

    def _begin(self, n: Index) -> None:
        k, place, start = self.k, self.k.multiply(n, self.width), self.k.multiply(n, self.units.row)

        def begin(block: UnitBlock) -> None:
            for pointer, name, _ in self._own:
                k.store(pointer, k.add(start, block.first), self._operand(name, place, block))

        over_units(k, self.units, 1, begin)

    def _end(self, n: Index) -> None:
        k, place, start = self.k, self.k.multiply(n, self.width), self.k.multiply(n, self.units.row)

        def end(block: UnitBlock) -> None:
            for pointer, _, number in self._own:
                value = k.load(pointer, k.add(start, block.first), block.lanes)
                self._put_out(number, place, block, value)

        over_units(k, self.units, 1, end)

    def _operand(self, name: str, row: Index, block: UnitBlock) -> Register:
        """A vector of an operand, or of zeros where it is absent."""
        k, value = self.k, self.given.get(name)
        if value is None:
            return k.number(0.0, Kind(self.dtype, block.lanes))
        place = k.add(row, block.first)
        return k.convert(k.load(k.read(value), place, block.lanes, block.mask), self.dtype)

    def _put_out(self, number: int, row: Index, block: UnitBlock, value: Register) -> None:
        k = self.k
        for result in self.results[number]:
            converted = k.convert(value, result.dtype)
            k.store(k.write(result), k.add(row, block.first), converted, block.mask)

    def _elementwise(self, n: Index, row: Index, block: UnitBlock) -> None:
        """All of a step but the product with the matrix, for one vector of units."""
        k, start = self.k, self.k.multiply(n, self.units.row)
        place, own = k.multiply(row, self.width), k.add(start, block.first)
        state = k.load(self.state, own, block.lanes) + self._operand("entry", place, block)
        cell = k.load(self.cell, own, block.lanes)
        self._put_out(0, place, block, state)
        self._put_out(2, place, block, cell)

        def sum_of(of_state: str, of_cell: str, row: Index) -> Any:
            terms = [
                k.multiply(self._operand(name, row, block), x)
                for name, x in ((of_state, state), (of_cell, cell))
                if name in self.given
            ]
            total = sum(terms[1:], terms[0]) if terms else 0.0
            return total if terms else k.number(0.0, Kind(self.dtype, block.lanes))

        for gate in range(self.gates):
            wide = k.multiply(row, self.gates * self.width)
            value = sum_of("gates", "cell_gates", k.add(wide, gate * self.width))
            target = k.multiply(n, self.gates * self.units.row)
            target = k.add(target, k.add(block.first, gate * self.units.row))
            k.store(self.products, target, value)
        k.store(self.state, own, sum_of("decay", "from_cell", place))
        k.store(self.cell, own, sum_of("to_cell", "cell_decay", place))
