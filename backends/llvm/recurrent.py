"""SimpleRNN, LSTM and GRU: one kernel over time, its products in register tiles with all gates.

The products with the input do not wait for the states: they are made for some steps ahead, where
each weight serves several rows or several steps. The products with the states follow step by step.
With many rows (of the batch) tiles of rows share the recurrent weights. With few rows, these come
from the cache again in every step, which is what limits the speed.
The sums of a row have one order, whichever tile it falls into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import NamedTuple

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import INDEX, Index, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.recurrent_cells import activated
from kerac.backends.llvm.recurrent_products import Weights
from kerac.backends.llvm.recurrent_states import States, Step
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
from kerac.backends.llvm.recurrent_weights import UnitBlock, UnitLayout, over_units
from kerac.backends.llvm.register_tiles import over_tiles
from kerac.ir.errors import InternalError
from kerac.ir.ops.recurrent import GRU, LSTM, Recurrent, SimpleRNN
from kerac.ir.types import computing_dtype, numpy_dtype

STEPS_AHEAD = 8  # whose products with the input are made at a time, for many rows
TILES_AHEAD = 4  # tiles of steps that are, for few rows
CACHED = 0.75  # of the second-level cache, at most, is for weights that are to stay there
MANY_TOGETHER = 8  # rows that share a step: a second tile finds the weights of the first one near
TILES_TOGETHER = 8  # tiles of rows that share a step where weights do not stay in the cache


@lowers(SimpleRNN, LSTM, GRU, epilogue=False)
def lower_recurrent(lowering: Lowering, group: Group) -> None:
    """sequence[n, t], states = cell(x[n, t], states), for t upwards or downwards.

    The other direction of a bidirectional layer is done in the same kernel, beside this one.
    """
    twin = find_twin(lowering, group)
    groups = [group] if twin is None else [group, lowering.take(twin)]
    ops = [_Recurrence(lowering, one) for one in groups]
    k = lowering.kernel(Group(tuple(one.head for one in groups), group.head))
    for op in ops:
        op.begin(k)
    rows, batch = ops[0].rows, k.dim(ops[0].batch)
    many = k.compare("greater_equal", batch, rows)
    k.when(many, lambda: _side_by_side(k, [op.many_rows() for op in ops]))

    def few_rows() -> None:
        for tasks in zip(*(op.few_rows() for op in ops), strict=True):
            _side_by_side(k, tasks)

    if rows > 1:
        k.when(k.compare("less", batch, rows), few_rows)
    lowering.launch(k)


def find_twin(lowering: Lowering, group: Group) -> Group | None:
    """A group with an op alike on the same input, whose operands are all there already."""
    head, op = group.head, group.head_op(Recurrent)
    for other in lowering.waiting:
        if (
            other.anchor is not None
            and isinstance(other.anchor.op, Recurrent)
            and replace(other.anchor.op, reverse=op.reverse) == op
            and other.anchor.operands[0] is head.operands[0]
            and [x and x.type for x in other.anchor.inputs] == [x and x.type for x in head.inputs]
            and lowering.can_take(other)
        ):
            return other
    return None


class Tasks(NamedTuple):
    """Work that may be shared out: body(number) for all below `total`, each worth `cost`."""

    total: Index
    body: Callable[[Index], None]
    cost: Index


def _side_by_side(k: GroupKernel, several: Sequence[Tasks]) -> None:
    """The same number of tasks of each op, all in parallel."""
    total, _, cost = several[0]

    def task(op: Index, number: Index) -> None:
        for place, tasks in enumerate(several):
            k.when(k.compare("equal", op, place), partial(tasks.body, number))

    k.parallel({"op": len(several), "n": total}, task, cost=cost)


class Span(NamedTuple):
    """Rows or steps."""

    start: Index
    stop: Index


class _Recurrence:
    """One recurrent op under construction."""

    def __init__(self, lowering: Lowering, group: Group) -> None:
        self.group, self.op = group, group.head_op(Recurrent)
        x, recurrent_kernel = group.head.operands[0], group.head.operands[2]
        self.batch, self.steps, self.features = x.shape
        self.dtype = computing_dtype(x.dtype)
        lanes = lowering.target.lanes(numpy_dtype(self.dtype).itemsize)
        self.units = UnitLayout(recurrent_kernel.shape[0], lanes)
        self.weights = Weights(lowering, group, self.units, self.dtype)
        self.rows = most_rows(self.weights.layouts, lowering.target)

    def begin(self, k: GroupKernel) -> None:
        """Take the kernel that is to hold the op."""
        self.k = k
        self.x = None if self.weights.table else k.read(self.group.head.operands[0])
        self.states = States(k, self.group, self.units, self.dtype)
        self.corner = Corner(k, self.weights.layouts, self.batch, self.dtype)

    def _through_time(
        self,
        ahead: int,
        project: Callable[[Span], None],
        take: Callable[[Step], Index],
    ) -> Index:
        """project(steps), then take(step) for each, to the end; the half with the states then."""
        k, total = self.k, self.k.dim(self.steps)

        def some_steps(start: Index, half: Index) -> Index:
            stop = total if self.weights.table else k.minimum(start + ahead, total)
            if not self.weights.table:
                project(Span(start, stop))

            def step(place: Index, half: Index) -> Index:
                following = self._time(k.minimum(k.add(place, 1), k.subtract(total, 1)))
                return take(Step(place, place - start, self._time(place), half, following))

            after: Index
            (after,) = k.loop("t", start, stop, step, carried=[half], kinds=[INDEX])
            return after

        if self.weights.table:
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

    def many_rows(self) -> Tasks:
        """Blocks of rows go through time, in each step tile after tile."""
        k, batch = self.k, self.k.dim(self.batch)
        cached = self.weights.bytes <= CACHED * k.target.second_level_cache
        # what stays in the cache may be read again for every step
        products = self.weights.products(k, self.batch, 1 if cached else STEPS_AHEAD)
        together = max(self.rows, MANY_TOGETHER) if cached else self.rows * TILES_TOGETHER

        def some_rows(number: Index) -> None:
            first = number * together
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
        return Tasks(blocks, some_rows, self._cost(together))

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
                    spots = [(row, step.place) for row in some]
                    inputs = None
                    if project and not self.weights.table and product.phase.apart:
                        self._project(product, block, spots, step.place)
                    elif project and not self.weights.table:
                        inputs = self._input_sums(product, block, spots)
                    self._tile(product, block, some, step, inputs)

                self._over_tiles(rows, tile)

            over_units(self.k, self.units, wide_span(product.layout), units)

    def _over_tiles(self, rows: Span, body: Callable[[Sequence[Index]], None]) -> None:
        over_tiles(self.k, *rows, [self.rows, *lower_heights(self.rows)], body)

    def few_rows(self) -> Iterator[Tasks]:
        """One tile of rows after the other goes through time, high ones first."""
        k, batch, most = self.k, self.k.dim(self.batch), self.rows - 1
        rows_ahead = min(most, batch) if isinstance(batch, int) else most
        products = self.weights.products(k, rows_ahead, TILES_AHEAD * self.rows)

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

            yield Tasks(tiles, tile, self._cost(height))
            first = k.add(first, k.multiply(tiles, height))

    def _cost(self, rows: int) -> Index:
        """Multiply-adds of some rows through all of time."""
        of_step = self.weights.depth * self.weights.columns * rows
        cost: Index = self.k.multiply(self.k.dim(self.steps), of_step)
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
        k, sums = self.k, self._input_sums(product, block, spots)
        count = product.count(block)
        for i, (row, place) in enumerate(spots):
            target = product.place(row, place - start)
            for slot in range(count):
                at = target + product.layout.place(block, slot)
                k.store(product.projected, at, sums[i * count + slot])

    def _input_sums(
        self, product: Product, block: UnitBlock, spots: Sequence[tuple[Index, Index]]
    ) -> list[Register]:
        k, total = self.k, self.k.dim(self.steps)
        places = [(row * total + self._time(place)) * self.features for row, place in spots]
        if self.x is None or product.kernel is None:
            raise InternalError(f"{self.group.name}: products of a table are not made again")
        return input_sums(k, product, product.kernel, self.x, places, block)

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

    def _tile(
        self,
        product: Product,
        block: UnitBlock,
        rows: Sequence[Index],
        step: Step,
        inputs: Sequence[Register] | None = None,
    ) -> None:
        """Sum over the states of `rows`, do what the gates do, and write the new states.

        The sums begin with `inputs`, or else with what is ready in memory.
        """
        k, phase, states = self.k, product.phase, self.states
        places = [states.place(phase.source, row, step.half) for row in rows]
        for row in rows:
            product.fetch_following(k, row, step, block)
        if phase.apart:
            initial = biases(k, product, product.recurrent_bias, block, len(rows))
        elif inputs is not None:
            initial = list(inputs)
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
                if states.kept_gates:
                    kept = activated(k, self.op, phase, own)
                    states.keep_gates(row, step, block, vector, kept, keep)
                new = phase.finish(k, self.op, own, apart, load)
                states.take(row, step, block, vector, new, keep)

        for_each(k, rows, finish)
