"""SimpleRNN, LSTM and GRU: one kernel over time, its products in register tiles with all gates.

The products with the input do not wait for the states: they are made for some steps ahead, where
each weight serves several rows or several steps. The products with the states follow step by step.
With many rows (of the batch) tiles of rows share the recurrent weights. With few rows, these come
from the cache again in every step, which is what limits the speed.
The sums of a row have one order, whichever tile it falls into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import NamedTuple

import numpy as np

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import INDEX, Index, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.packing import constant_array
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.recurrent_cells import Phase, phases
from kerac.backends.llvm.recurrent_states import States, Step
from kerac.backends.llvm.recurrent_tables import RowNumbers, product_table, table_of
from kerac.backends.llvm.recurrent_tiles import (
    Corner,
    Product,
    biases,
    for_each,
    input_sums,
    lower_heights,
    most_rows,
    narrow_span,
    recurrent_sums,
    wide_span,
)
from kerac.backends.llvm.recurrent_weights import (
    GateLayout,
    PackedMatrix,
    UnitBlock,
    UnitLayout,
    over_units,
    packed_buffer,
    working_memory,
)
from kerac.backends.llvm.reduction import computing_dtype
from kerac.backends.llvm.register_tiles import over_tiles
from kerac.ir.dims import DimLike
from kerac.ir.errors import InternalError
from kerac.ir.graph import Value
from kerac.ir.ops.recurrent import GRU, LSTM, Recurrent, SimpleRNN
from kerac.ir.types import TensorType, numpy_dtype

STEPS_AHEAD = 8  # whose products with the input are made at a time, for many rows
TILES_AHEAD = 4  # tiles of steps that are, for few rows
CACHED = 0.75  # of the second-level cache, at most, is for weights that are to stay there
TILES_TOGETHER = 8  # tiles of rows that share a step where weights do not stay in the cache


@lowers(SimpleRNN, LSTM, GRU, epilogue=False)
def lower_recurrent(lowering: Lowering, group: Group) -> None:
    """sequence[n, t], states = cell(x[n, t], states), for t upwards or downwards."""
    _Recurrence(lowering, group).emit()


class Span(NamedTuple):
    """Rows or steps."""

    start: Index
    stop: Index


class _Recurrence:
    """One recurrent op under construction."""

    def __init__(self, lowering: Lowering, group: Group) -> None:
        self.lowering, self.group, self.op = lowering, group, group.head_op(Recurrent)
        x, self.kernel, self.recurrent_kernel = group.head.operands[:3]
        self.bias = [*group.head.inputs, None][3]
        self.batch, self.steps, self.features = x.shape
        self.dtype = computing_dtype(x.dtype)
        self.bytes = numpy_dtype(self.dtype).itemsize
        self.units = UnitLayout(self.recurrent_kernel.shape[0], lowering.target.lanes(self.bytes))
        self.table = self._table(x)
        self.packed = [self._pack(phase) for phase in phases(self.op)]
        layouts = [layout for _, layout, _ in self.packed]
        self.k: GroupKernel = lowering.kernel(group)
        self.x = None if self.table else self.k.read(x)
        self.states = States(self.k, group, self.units, self.dtype)
        self.rows = most_rows(layouts, lowering.target)
        self.corner = Corner(self.k, layouts, self.batch, self.dtype)

    def _table(self, x: Value) -> tuple[np.ndarray, Value] | None:
        """The table whose rows x consists of, where the products of its rows are made now."""
        if constant_array(self.kernel) is None:
            return None
        if self.bias is not None and constant_array(self.bias) is None:
            return None
        return table_of(x, self.kernel.shape[-1] * self.bytes)

    def _pack(self, phase: Phase) -> tuple[Phase, GateLayout, dict[str, Buffer]]:
        layout = GateLayout(self.units, len(phase.gates))
        operands: dict[str, tuple[Value, int | None]] = {"recurrent": (self.recurrent_kernel, None)}
        if not self.table:
            operands["kernel"] = (self.kernel, None)
            if self.bias is not None:
                operands["bias"] = (self.bias, 0)
        if self.bias is not None and phase.apart:
            operands["recurrent_bias"] = (self.bias, 1)
        buffers = {
            name: packed_buffer(
                self.lowering, self.group, value, layout, self.dtype, phase.gates, row
            )
            for name, (value, row) in operands.items()
        }
        return phase, layout, buffers

    def _products(self, rows: DimLike, ahead: int) -> list[Product]:
        """The products, with memory for those of some rows with the input some steps ahead."""
        if isinstance(self.steps, int):
            ahead = max(1, min(ahead, self.steps))
        return [self._product(*packed, rows, ahead) for packed in self.packed]

    def _product(
        self,
        phase: Phase,
        layout: GateLayout,
        buffers: dict[str, Buffer],
        rows: DimLike,
        ahead: int,
    ) -> Product:
        depths = {"kernel": self.features, "recurrent": self.units.units}
        matrices = {
            name: PackedMatrix(self.k.read(buffer), depths.get(name, 1), layout)
            for name, buffer in buffers.items()
        }
        projected, numbers = self._projected(
            phase, layout, TensorType(self.dtype, (rows, ahead, layout.size))
        )
        return Product(
            phase,
            layout,
            matrices.get("kernel"),
            matrices["recurrent"],
            matrices.get("bias"),
            matrices.get("recurrent_bias"),
            projected,
            ahead,
            self.steps,
            numbers,
        )

    def _projected(
        self, phase: Phase, layout: GateLayout, type_: TensorType
    ) -> tuple[Pointer, RowNumbers | None]:
        """Memory for products with the input, or a table of all there can be."""
        if not self.table:
            return working_memory(self.k, type_, "projected"), None
        table, numbers = self.table
        kernel = constant_array(self.kernel)
        bias = None if self.bias is None else constant_array(self.bias)
        if kernel is None:
            raise InternalError(f"{self.group.name}: a table of products needs a known kernel")
        products = product_table(
            self.lowering, table, kernel, bias, layout, phase.gates, self.dtype
        )
        buffer = self.lowering.constant(products, "table")
        return self.k.read(buffer), RowNumbers(self.k.read(numbers), len(table))

    def emit(self) -> None:
        """Build and launch the kernel."""
        k = self.k
        batch = k.dim(self.batch)
        k.when(k.compare("greater_equal", batch, self.rows), self._many_rows)
        if self.rows > 1:
            k.when(k.compare("less", batch, self.rows), self._few_rows)
        self.lowering.launch(k)

    def _through_time(
        self,
        ahead: int,
        project: Callable[[Span], None],
        take: Callable[[Step], Index],
    ) -> Index:
        """project(steps), then take(step) for each, to the end; the half with the states then."""
        k, total = self.k, self.k.dim(self.steps)

        def some_steps(start: Index, half: Index) -> Index:
            stop = total if self.table else k.minimum(start + ahead, total)
            if not self.table:
                project(Span(start, stop))

            def step(place: Index, half: Index) -> Index:
                return take(Step(place, place - start, self._time(place), half))

            after: Index
            (after,) = k.loop("t", start, stop, step, carried=[half], kinds=[INDEX])
            return after

        if self.table:
            return some_steps(0, 0)
        half: Index
        (half,) = k.loop("s", 0, total, some_steps, step=ahead, carried=[0], kinds=[INDEX])
        return half

    def _time(self, place: Index) -> Index:
        """The index of the input that a step takes."""
        if not self.op.reverse:
            return place
        time: Index = self.k.subtract(self.k.dim(self.steps), place) - 1
        return time

    def _many_rows(self) -> None:
        """Blocks of rows go through time, in each step tile after tile."""
        k, batch = self.k, self.k.dim(self.batch)
        columns = sum(layout.size for _, layout, _ in self.packed)
        size = (self.features + self.units.units) * columns * self.bytes
        cached = size <= CACHED * k.target.second_level_cache
        # what stays in the cache may be read again for every step
        products = self._products(self.batch, 1 if cached else STEPS_AHEAD)
        together = self.rows * (1 if cached else TILES_TOGETHER)

        def some_rows(first: Index) -> None:
            rows = Span(first, k.minimum(first + together, batch))

            def project(steps: Span) -> None:
                if not cached:
                    self._project_many(products, rows, steps)

            def take(step: Step) -> Index:
                self._take_many(products, rows, step, cached)
                return self.states.other(step.half)

            k.loop("r", *rows, self.states.begin)
            half = self._through_time(products[0].ahead, project, take)
            k.loop("r", *rows, lambda row: self.states.end(row, half))

        blocks = k.quotient(k.add(batch, together - 1), together)
        k.parallel({"n": blocks}, lambda n: some_rows(n * together), cost=self._cost(together))

    def _project_many(self, products: Sequence[Product], rows: Span, steps: Span) -> None:
        for product in products:

            def units(block: UnitBlock, product: Product = product) -> None:
                def step(place: Index) -> None:
                    def tile(some: Sequence[Index]) -> None:
                        spots = [(row, place) for row in some]
                        self._project(product, block, spots, steps.start)

                    self._over_tiles(rows, tile)

                self.k.loop("p", *steps, step)

            over_units(self.k, self.units, wide_span(product.layout), units)

    def _take_many(
        self, products: Sequence[Product], rows: Span, step: Step, project: bool
    ) -> None:
        for product in products:

            def units(block: UnitBlock, product: Product = product) -> None:
                def tile(some: Sequence[Index]) -> None:
                    if project and not self.table:
                        spots = [(row, step.place) for row in some]
                        self._project(product, block, spots, step.place)
                    self._tile(product, block, some, step)

                self._over_tiles(rows, tile)

            over_units(self.k, self.units, wide_span(product.layout), units)

    def _over_tiles(self, rows: Span, body: Callable[[Sequence[Index]], None]) -> None:
        over_tiles(self.k, *rows, [self.rows, *lower_heights(self.rows)], body)

    def _few_rows(self) -> None:
        """One tile of rows after the other goes through time."""
        k, batch, most = self.k, self.k.dim(self.batch), self.rows - 1
        rows_ahead = min(most, batch) if isinstance(batch, int) else most
        products = self._products(rows_ahead, TILES_AHEAD * self.rows)

        def some_rows(rows: Sequence[Index]) -> None:
            def project(steps: Span) -> None:
                for_each(k, rows, lambda row: self._project_few(products, row, steps))

            for_each(k, rows, self.states.begin)
            half = self._through_time(
                products[0].ahead, project, lambda step: self._step_of_few(products, rows, step)
            )
            for_each(k, rows, lambda row: self.states.end(row, half))

        first: Index = 0
        for height in lower_heights(self.rows):
            tiles = k.quotient(k.subtract(batch, first), height)

            def tile(n: Index, first: Index = first, height: int = height) -> None:
                row = k.add(first, k.multiply(n, height))
                some_rows([row + i for i in range(height)])

            k.parallel({"n": tiles}, tile, cost=self._cost(height))
            first = k.add(first, k.multiply(tiles, height))

    def _cost(self, rows: int) -> Index:
        """Multiply-adds of some rows through all of time."""
        columns = sum(layout.size for _, layout, _ in self.packed)
        depth = self.units.units + (0 if self.table else self.features)
        cost: Index = self.k.multiply(self.k.dim(self.steps), depth * columns * rows)
        return cost

    def _project_few(self, products: Sequence[Product], row: Index, steps: Span) -> None:
        for product in products:

            def units(block: UnitBlock, product: Product = product) -> None:
                def tile(places: Sequence[Index]) -> None:
                    spots = [(row, place) for place in places]
                    self._project(product, block, spots, steps.start)

                over_tiles(self.k, *steps, [self.rows, 1], tile)

            over_units(self.k, self.units, wide_span(product.layout), units)

    def _project(
        self,
        product: Product,
        block: UnitBlock,
        spots: Sequence[tuple[Index, Index]],
        start: Index,
    ) -> None:
        """A tile of products with the input, for pairs of a row and a place in time."""
        k, total = self.k, self.k.dim(self.steps)
        places = [(row * total + self._time(place)) * self.features for row, place in spots]
        if self.x is None or product.kernel is None:
            raise InternalError(f"{self.group.name}: products of a table are not made again")
        sums = input_sums(k, product, product.kernel, self.x, places, block)
        count = product.count(block)
        for i, (row, place) in enumerate(spots):
            target = product.place(row, place - start)
            for slot in range(count):
                at = target + product.layout.place(block, slot)
                k.store(product.projected, at, sums[i * count + slot])

    def _step_of_few(self, products: Sequence[Product], rows: Sequence[Index], step: Step) -> Index:
        """One step, left out where the mask lets no row take it; the half with the states then."""
        k, states = self.k, self.states

        def all_products() -> None:
            # in turns from both ends: what the last step left in the nearest cache comes first
            backwards = k.compare("greater", step.half, 0)
            for product in products:

                def units(block: UnitBlock, product: Product = product) -> None:
                    self._tile(product, block, rows, step)

                span = narrow_span(product.layout, len(rows), k.target)
                over_units(k, self.units, span, units, backwards)

        keeps = [keep for row in rows if (keep := states.keep(row, step.time)) is not None]
        if not keeps:
            all_products()
            return states.other(step.half)
        taken = reduce(partial(k.compute, "or"), keeps)
        k.when(taken, all_products)
        if states.puts_out_each_step:
            left = k.compute("xor", taken, True)
            k.when(left, lambda: for_each(k, rows, lambda row: states.leave_out(row, step)))
        half: Index = k.select(taken, states.other(step.half), step.half, INDEX)
        return half

    def _tile(self, product: Product, block: UnitBlock, rows: Sequence[Index], step: Step) -> None:
        """Sum over the states of `rows`, do what the gates do, and write the new states."""
        k, phase, states = self.k, product.phase, self.states
        places = [states.place(phase.source, row, step.half) for row in rows]
        if phase.apart:
            initial = biases(k, product, product.recurrent_bias, block, len(rows))
        else:
            initial = [value for row in rows for value in product.ready(k, row, step, block)]
        sums = recurrent_sums(k, product, states.pointers[phase.source], places, block, initial)
        gates = self.corner.gates(product, rows, block, sums)

        def finish(row: Index) -> None:
            keep = states.keep(row, step.time)
            for vector in range(block.vectors):

                def load(name: str, vector: int = vector) -> Register:
                    return states.load(name, row, step.half, block, vector)

                apart: Sequence[Register] = ()
                if phase.apart:
                    apart = product.ready_gates(k, row, step, block, vector)
                own = gates(row, vector)
                if states.kept_sums:
                    states.keep_sums(row, step, block, vector, own, keep)
                new = phase.finish(k, self.op, own, apart, load)
                states.take(row, step, block, vector, new, keep)

        for_each(k, rows, finish)
