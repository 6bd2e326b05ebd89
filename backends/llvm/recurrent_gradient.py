"""The gradient of an LSTM: its steps from the last one on, gates in registers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import INDEX, Index, Kind, Pointer, Register
from kerac.backends.llvm.lowering import Lowering, lowers
from kerac.backends.llvm.recurrent_back import BackProduct, in_blocks
from kerac.backends.llvm.recurrent_weights import UnitBlock, UnitLayout, over_units, working_memory
from kerac.ir.graph import Value
from kerac.ir.op import operand_names
from kerac.ir.ops.constant import Item
from kerac.ir.ops.recurrent import TANH
from kerac.ir.ops.recurrent_gradient import LSTMGradient
from kerac.ir.types import TensorType, computing_dtype, numpy_dtype

GATES = 4
AHEAD = 3  # steps whose arrays are brought near before they come


@lowers(LSTMGradient, epilogue=False)
def lower_lstm_gradient(lowering: Lowering, group: Group) -> None:
    """g[t] = slopes * (cotangents after step t); those before it are g[t] @ kernel^T and so on."""
    _Gradient(lowering, group).emit()


class _Gradient:
    """One gradient under construction."""

    def __init__(self, lowering: Lowering, group: Group) -> None:
        inputs = group.head.inputs
        names = operand_names(LSTMGradient, len(inputs))
        self.given: dict[str, Value] = {
            name: value for name, value in zip(names, inputs, strict=True) if value is not None
        }
        self.lowering, self.k = lowering, lowering.kernel(group)
        cells = self.given["cells"]
        self.batch, self.steps, self.width = cells.shape
        self.dtype = computing_dtype(cells.dtype)
        lanes = lowering.target.lanes(numpy_dtype(self.dtype).itemsize)
        self.units = UnitLayout(self.width, lanes)
        self.results: list[list[Value]] = [[] for _ in range(4)]
        for item in lowering.graph.consumers[group.head]:
            if isinstance(item.op, Item):
                self.results[item.op.index].append(item)
        self.k.read(self.given["gates"])  # before it is written, where both share their memory
        for result in self.results[0]:
            lowering.write_over(result, self.given["gates"], group.head)
            self.k.write(result)
        self.state, self.cell = self._memory("state", 1), self._memory("cell", 1)
        self.total = self._memory("total", GATES) if self.results[3] else None
        products = self._memory("products", GATES)
        turned = self.k.read(self.given["turned"])
        scale = self.k.read(self.given["scale"]) if "scale" in self.given else None
        self.product = BackProduct(
            self.k, self.units, GATES, turned, products, self.state, scale
        )

    def _memory(self, name: str, rows: int) -> Pointer:
        shape = (self.batch, rows * self.units.row)
        return working_memory(self.k, TensorType(self.dtype, shape), name)

    def emit(self) -> None:
        """Build and launch the kernel."""
        k = self.k
        in_blocks(k, self.batch, self._cost(), self._rows)
        self.lowering.launch(k)

    def _cost(self) -> Index:
        step = (GATES * self.width + 64) * self.width
        cost: Index = self.k.multiply(self.k.dim(self.steps), step)
        return cost

    def _rows(self, first: Index, stop: Index) -> None:
        k, total = self.k, self.k.dim(self.steps)

        def step(p: Index) -> None:
            time = k.subtract(k.subtract(total, 1), p)
            k.loop("r", first, stop, lambda n: self._row_of_step(n, time))
            self.product.add(first, stop)

        def each(body: Callable[[Index, UnitBlock], None]) -> None:
            k.loop("r", first, stop, lambda n: over_units(k, self.units, 1, partial(body, n)))

        each(self._begin)
        k.loop("p", 0, total, step)
        each(self._end)

    def _begin(self, n: Index, block: UnitBlock) -> None:
        for pointer, name in ((self.state, "state"), (self.cell, "cell")):
            value = self._operand(name, self.k.multiply(n, self.width), block)
            self.k.store(pointer, n * self.units.row + block.first, value)
        if self.total is not None:
            for gate in range(GATES):
                zeros = self.k.number(0.0, Kind(self.dtype, block.lanes))
                self.k.store(self.total, self._place(n, gate, block), zeros)

    def _end(self, n: Index, block: UnitBlock) -> None:
        for pointer, number in ((self.state, 1), (self.cell, 2)):
            value = self.k.load(pointer, n * self.units.row + block.first, block.lanes)
            self._put_out(number, self.k.multiply(n, self.width), block, value)
        if self.total is not None:
            for gate in range(GATES):
                value = self.k.load(self.total, self._place(n, gate, block), block.lanes)
                self._put_out(3, (n * GATES + gate) * self.width, block, value)

    def _place(self, n: Index, gate: int, block: UnitBlock) -> Index:
        """Where a vector of a gate of a row lies in working memory."""
        place: Index = (n * GATES + gate) * self.units.row + block.first
        return place

    def _operand(self, name: str, row: Index, block: UnitBlock) -> Register:
        """A vector of an operand, or of zeros where it is absent."""
        k, value = self.k, self.given.get(name)
        if value is None:
            return k.number(0.0, Kind(self.dtype, block.lanes))
        loaded = k.load(k.read(value), k.add(row, block.first), block.lanes, block.mask)
        return k.convert(loaded, self.dtype)

    def _put_out(self, number: int, row: Index, block: UnitBlock, value: Register) -> None:
        k = self.k
        for result in self.results[number]:
            converted = k.convert(value, result.dtype)
            k.store(k.write(result), k.add(row, block.first), converted, block.mask)

    def _row_of_step(self, n: Index, time: Index) -> None:
        k = self.k
        row = n * k.dim(self.steps) + time
        keep = k.load(k.read(self.given["mask"]), row) if "mask" in self.given else None
        over_units(k, self.units, 1, lambda block: self._gates(n, (row, time), keep, block))

    def _gates(
        self, n: Index, place: tuple[Index, Index], keep: Register | None, block: UnitBlock
    ) -> None:
        """What a step gives to its sums, and what of the state's cotangent passes them by."""
        k, (row, time) = self.k, place
        self._fetch_before(k.subtract(row, AHEAD), block)
        own = n * self.units.row + block.first
        state = k.load(self.state, own, block.lanes)
        if "sequence" in self.given:
            state = state + self._operand("sequence", row * self.width, block)
        cell = k.load(self.cell, own, block.lanes)
        parts, before = self._cotangents(n, row, time, block, state, cell)
        passing = k.number(0.0, Kind(self.dtype, block.lanes))
        if keep is not None:
            parts = [k.select(keep, part, 0.0) for part in parts]
            before, passing = k.select(keep, before, cell), k.select(keep, 0.0, state)
        for gate, part in enumerate(parts):
            self._put_out(0, (row * GATES + gate) * self.width, block, part)
            target = self._place(n, gate, block)
            k.store(self.product.products, target, part)
            if self.total is not None:
                k.store(self.total, target, k.load(self.total, target, block.lanes) + part)
        k.store(self.cell, own, before)
        k.store(self.state, own, passing)

    def _fetch_before(self, row: Index, block: UnitBlock) -> None:
        """Bring near what an earlier step reads and writes; those of one row lie far apart."""
        k = self.k
        kept = [(self.given["cells"], 1), (self.given["gates"], GATES)]
        places = {k.read(value): gates for value, gates in kept}
        places |= {k.write(result): GATES for result in self.results[0]}
        for pointer, gates in places.items():
            for gate in range(gates):
                start = k.multiply(k.add(k.multiply(row, gates), gate), self.width)
                k.prefetch(pointer, k.add(start, block.first))

    def _cotangents(
        self,
        n: Index,
        row: Index,
        time: Index,
        block: UnitBlock,
        state: Register,
        cell: Register,
    ) -> tuple[list[Register], Register]:
        """Of the sums, in the order of the gates, and of the cell before the step."""
        m = self.k.mathematics
        take, forget, new, output = (
            self._operand("gates", (row * GATES + gate) * self.width, block)
            for gate in range(GATES)
        )
        shown = TANH.formula(m, self._operand("cells", row * self.width, block))
        through = state * output
        inner = cell + through - through * shown * shown
        to_take = inner * take
        to_forget = inner * forget
        parts = [
            to_take * new * (1.0 - take),
            to_forget * self._cell_before(n, row, time, block) * (1.0 - forget),
            to_take * (1.0 - new * new),
            through * shown * (1.0 - output),
        ]
        return parts, to_forget

    def _cell_before(self, n: Index, row: Index, time: Index, block: UnitBlock) -> Register:
        """The cell before a step: that after the step before, or the initial one."""
        k = self.k
        is_first = k.compare("equal", time, 0)
        # the first step reads its own cell in place of one that does not exist
        earlier = k.subtract(row, k.select(is_first, 0, 1, INDEX)) * self.width
        initial = self._operand("initial_cell", k.multiply(n, self.width), block)
        before: Register = k.select(is_first, initial, self._operand("cells", earlier, block))
        return before
