"""SimpleRNN, LSTM and GRU: one kernel over time, its products in register tiles with all gates.

Many rows (of the batch) go through time side by side: a tile sums the products with the input and
with the state one after the other, and each weight serves several rows. Few rows cannot share the
recurrent weights, which then come from the cache again in every step; but several steps share the
input's weights, so there the products with the input are made some steps ahead, in tiles of steps.
The sums of a row have one order, whichever tile it falls into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import INDEX, Index, Pointer, Register
from kerac.backends.llvm.kernel.nodes import LoopKind
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.recurrent_cells import Phase, phases
from kerac.backends.llvm.recurrent_states import States, Step
from kerac.backends.llvm.recurrent_tiles import (
    Corner,
    Gates,
    Product,
    biases,
    input_sums,
    lower_heights,
    most_rows,
    recurrent_sums,
)
from kerac.backends.llvm.recurrent_weights import (
    GateLayout,
    PackedMatrix,
    UnitBlock,
    UnitLayout,
    over_units,
    packed_buffer,
)
from kerac.ir.graph import Value
from kerac.ir.ops.recurrent import GRU, LSTM, Recurrent, SimpleRNN
from kerac.ir.types import TensorType

TILES_AHEAD = 4  # tiles of steps whose products with the input are made at a time
TILES_TOGETHER = 8  # tiles of rows that share a step where weights do not stay in the cache


@lowers(SimpleRNN, LSTM, GRU, epilogue=False)
def lower_recurrent(lowering: Lowering, group: Group) -> None:
    """sequence[n, t], states = cell(x[n, t], states), for t upwards or downwards."""
    _Recurrence(lowering, group).emit()


class _Recurrence:
    """One recurrent op under construction."""

    def __init__(self, lowering: Lowering, group: Group) -> None:
        anchor = group.anchor
        assert anchor is not None
        assert isinstance(anchor.op, Recurrent)
        self.lowering, self.group, self.op = lowering, group, anchor.op
        x, self.kernel, self.recurrent_kernel = anchor.operands[:3]
        self.bias = anchor.inputs[3] if len(anchor.inputs) > 3 else None
        self.batch, self.steps, self.features = x.shape
        self.dtype, target = x.dtype, lowering.target
        lanes = target.lanes(max(4, x.tensor_type.numpy_dtype.itemsize))
        self.units = UnitLayout(self.recurrent_kernel.shape[0], lanes)
        packed = [self._pack(phase) for phase in phases(self.op)]
        self.k: GroupKernel = lowering.kernel(group)
        self.x = self.k.read(x)
        self.products = [self._product(*some) for some in packed]
        self.states = States(lowering, group, self.k, self.units, phases(self.op))
        self.rows = most_rows(self.products, target)
        self.corner = Corner(lowering, self.k, self.products, self.batch)
        self.ahead = TILES_AHEAD * self.rows
        if isinstance(self.steps, int):
            self.ahead = max(1, min(self.ahead, self.steps))

    def _pack(self, phase: Phase) -> tuple[Phase, GateLayout, dict[str, Buffer]]:
        layout = GateLayout(self.units, len(phase.gates))
        operands: dict[str, tuple[Value, int | None]] = {
            "kernel": (self.kernel, None),
            "recurrent": (self.recurrent_kernel, None),
        }
        if self.bias is not None:
            operands["bias"] = (self.bias, 0)
            if phase.apart:
                operands["recurrent_bias"] = (self.bias, 1)
        buffers = {
            name: packed_buffer(self.lowering, self.group, value, layout, phase.gates, row)
            for name, (value, row) in operands.items()
        }
        return phase, layout, buffers

    def _product(self, phase: Phase, layout: GateLayout, buffers: dict[str, Buffer]) -> Product:
        depths = {"kernel": self.features, "recurrent": self.units.units}
        matrices = {
            name: PackedMatrix(self.k.read(buffer), depths.get(name, 1), layout)
            for name, buffer in buffers.items()
        }
        return Product(
            phase,
            layout,
            matrices["kernel"],
            matrices["recurrent"],
            matrices.get("bias"),
            matrices.get("recurrent_bias"),
        )

    def emit(self) -> None:
        """Build and launch the kernel."""
        k = self.k
        batch = k.dim(self.batch)
        k.when(k.compare("greater_equal", batch, self.rows), self._many_rows)
        if self.rows > 1:
            k.when(k.compare("less", batch, self.rows), self._few_rows)
        self.lowering.launch(k)

    def _step(self, place: Index, half: Index) -> Step:
        time = self.k.subtract(self.k.dim(self.steps), place) - 1 if self.op.reverse else place
        return Step(place, time, half)

    def _features(self, row: Index, time: Index) -> Index:
        """Where the features of a row at a time begin."""
        return (row * self.k.dim(self.steps) + time) * self.features

    def _many_rows(self) -> None:
        """All steps for blocks of rows."""
        k, batch = self.k, self.k.dim(self.batch)
        elements = sum((p.kernel.depth + p.recurrent.depth) * p.layout.size for p in self.products)
        cached = elements * 4 <= k.target.second_level_cache // 2
        together = self.rows * (1 if cached else TILES_TOGETHER)

        def some_rows(first: Index) -> None:
            stop = k.minimum(first + together, batch)
            k.loop("r", first, stop, self.states.begin)

            def step(place: Index, half: Index) -> Index:
                self._step_of_many(first, stop, self._step(place, half))
                return self.states.other(half)

            (half,) = k.loop("t", 0, k.dim(self.steps), step, carried=[0], kinds=[INDEX])
            k.loop("r", first, stop, lambda row: self.states.end(row, half))

        k.loop("n", 0, batch, some_rows, step=together, kind="parallel")

    def _step_of_many(self, first: Index, stop: Index, step: Step) -> None:
        heights = [self.rows, *lower_heights(self.rows)]
        for product in self.products:

            def units(block: UnitBlock, product: Product = product) -> None:
                def tile(row: Index, height: int) -> None:
                    rows = [row + i for i in range(height)]
                    places = [self._features(row, step.time) for row in rows]
                    sums = input_sums(self.k, product, self.x, places, block)
                    apart = None
                    if product.phase.apart:
                        apart = self.corner.gates(product, rows, block, sums, 1)
                    self._tile(product, rows, step, block, sums, apart)

                over_rows(self.k, first, stop, heights, tile)

            over_units(self.k, self.units, product.wide_span(), units)

    def _few_rows(self) -> None:
        """Few rows at a time; their products with the input are made some steps ahead."""
        k, batch, most = self.k, self.k.dim(self.batch), self.rows - 1
        rows = min(most, batch) if isinstance(batch, int) else most
        types = [
            TensorType(self.dtype, (rows, self.ahead, product.layout.size))
            for product in self.products
        ]
        ahead = [k.write(self.lowering.scratch(type_, "projected")) for type_ in types]

        def some_rows(first: Index, height: int) -> None:
            taken = [first + i for i in range(height)]
            for row in taken:
                self.states.begin(row)

            def steps(start: Index, half: Index) -> Index:
                stop = k.minimum(start + self.ahead, k.dim(self.steps))
                self._project(taken, start, stop, ahead)

                def step(place: Index, half: Index) -> Index:
                    return self._step_of_few(taken, self._step(place, half), place - start, ahead)

                return k.loop("t", start, stop, step, carried=[half], kinds=[INDEX])[0]

            total = k.dim(self.steps)
            (half,) = k.loop("s", 0, total, steps, step=self.ahead, carried=[0], kinds=[INDEX])
            for row in taken:
                self.states.end(row, half)

        over_rows(k, 0, batch, lower_heights(self.rows), some_rows, "parallel")

    def _project(
        self, rows: Sequence[Index], start: Index, stop: Index, ahead: Sequence[Pointer]
    ) -> None:
        """Products with the input for the steps start ... stop - 1, in tiles of steps."""
        k = self.k
        for product, pointer in zip(self.products, ahead, strict=True):

            def units(block: UnitBlock, product: Product = product, y: Pointer = pointer) -> None:
                count, lanes = product.count(block), product.kind(block).lanes

                def tile(row: Index, first: Index, height: int) -> None:
                    steps = [self._step(first + i, 0) for i in range(height)]
                    places = [self._features(row, step.time) for step in steps]
                    sums = input_sums(k, product, self.x, places, block)
                    for i, step in enumerate(steps):
                        place = self._projected(product, row, step.place - start, block, 0)
                        for slot in range(count):
                            k.store(y, place + slot * lanes, sums[i * count + slot])

                def one(row: Index) -> None:
                    def some_steps(first: Index, height: int) -> None:
                        tile(row, first, height)

                    over_rows(k, start, stop, [self.rows, 1], some_steps)

                for_rows(k, rows, one)

            over_units(self.k, self.units, product.wide_span(), units)

    def _projected(
        self, product: Product, row: Index, step: Index, block: UnitBlock, vector: int
    ) -> Index:
        """Where the products with the input lie for one vector of units."""
        layout = product.layout
        return (row * self.ahead + step) * layout.size + layout.offset(block, vector)

    def _step_of_few(
        self, rows: Sequence[Index], step: Step, place: Index, ahead: Sequence[Pointer]
    ) -> Index:
        """One step, left out where the mask lets no row take it; the half with the states then."""
        k, states = self.k, self.states
        if states.mask is None:
            self._products_of_few(rows, step, place, ahead)
            return states.other(step.half)
        taken = states.keep(rows[0], step.time)
        for row in rows[1:]:
            taken = k.compute("or", taken, states.keep(row, step.time))
        k.when(taken, lambda: self._products_of_few(rows, step, place, ahead))
        if states.results[0]:
            left = k.compute("xor", taken, True)
            k.when(left, lambda: for_rows(k, rows, lambda row: states.leave_out(row, step)))
        return k.select(taken, states.other(step.half), step.half, INDEX)

    def _products_of_few(
        self, rows: Sequence[Index], step: Step, place: Index, ahead: Sequence[Pointer]
    ) -> None:
        k = self.k
        for product, pointer in zip(self.products, ahead, strict=True):

            def units(block: UnitBlock, product: Product = product, y: Pointer = pointer) -> None:
                def load(row: Index, vector: int, number: int, lanes: int) -> list[Register]:
                    start = self._projected(product, row, place, block, vector)
                    return [k.load(y, start + n * lanes, lanes) for n in range(number)]

                def gates(row: Index, vector: int) -> list[Register]:
                    return load(row, vector, product.layout.gates, block.lanes)

                if product.phase.apart:
                    self._tile(product, rows, step, block, (), gates)
                else:
                    count, lanes = product.count(block), product.kind(block).lanes
                    sums = [value for row in rows for value in load(row, 0, count, lanes)]
                    self._tile(product, rows, step, block, sums, None)

            # in turns from both ends: what the last step left in the nearest cache comes first
            backwards = k.compare("greater", step.half, 0)
            over_units(k, self.units, product.narrow_span(len(rows), k.target), units, backwards)

    def _tile(
        self,
        product: Product,
        rows: Sequence[Index],
        step: Step,
        block: UnitBlock,
        inputs: Sequence[Register],
        apart: Gates | None,
    ) -> None:
        """Sum over the states of `rows`, do what the gates do, and write the new states.

        The sums begin with `inputs`, or else the gates get those from `apart`.
        """
        k, phase, states = self.k, product.phase, self.states
        places = [states.place(phase.source, row, step.half) for row in rows]
        initial = inputs
        if apart is not None:
            initial = biases(k, product, product.recurrent_bias, block, len(rows))
        sums = recurrent_sums(k, product, states.pointers[phase.source], places, block, initial)
        gates = self.corner.gates(product, rows, block, sums, 0)

        def finish(row: Index) -> None:
            keep = states.keep(row, step.time)
            for vector in range(block.vectors):

                def load(name: str, vector: int = vector) -> Register:
                    return states.load(name, row, step.half, block, vector)

                given = apart(row, vector) if apart is not None else ()
                new = phase.finish(k, self.op, gates(row, vector), given, load)
                states.take(row, step, block, vector, new, keep)

        for_rows(k, rows, finish)


def over_rows(
    k: GroupKernel,
    first: Index,
    stop: Index,
    heights: Sequence[int],
    body: Callable[[Index, int], None],
    kind: LoopKind = "serial",
) -> None:
    """body(first row, height) until all rows are covered, by tiles of ever lower heights."""
    for height in heights:
        end = first + k.subtract(stop, first) // height * height

        def tile(row: Index, height: int = height) -> None:
            body(row, height)

        k.loop("m", first, end, tile, step=height, kind=kind)
        first = end


def for_rows(k: GroupKernel, rows: Sequence[Index], body: Callable[[Index], None]) -> None:
    """body(row) for adjacent rows; their code exists once."""
    if len(rows) == 1:
        body(rows[0])
    else:
        k.loop("i", rows[0], rows[0] + len(rows), body)
