"""The states of recurrent ops between their steps, and the results that leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index, Kind, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.recurrent_cells import phases, scaled
from kerac.backends.llvm.recurrent_weights import UnitBlock, UnitLayout, over_units, working_memory
from kerac.ir.graph import Value
from kerac.ir.ops.constant import Item
from kerac.ir.ops.recurrent import GRU, LSTM, Recurrent
from kerac.ir.types import TensorType

APART = 32  # elements between rows of states, whose threads would otherwise share cache lines
KEPT = ("state", "cell", "output")  # what lives on from step to step


# what phases keep for later ones
NOTES: dict[type[Recurrent], list[str]] = {
    LSTM: ["sum0", "sum1", "sum2"],
    GRU: ["update", "reset"],
}


def scale_of(anchor: Value) -> Value | None:
    """The operand that scales the state for each gate."""
    states = 2 if isinstance(anchor.op, LSTM) else 1
    return [*anchor.inputs, *[None] * 5][5 + states]


@dataclass(frozen=True)
class Step:
    """One step in time; `half` says which half of `state` it reads."""

    place: Index  # among all steps, in the order they are taken
    ahead: Index  # among those whose products with the input are ready
    time: Index  # of its input
    half: Index
    following: Index  # time of the step after it, or of itself where that is the last one


class States:
    """A row of units for each row of the batch and each state, in scratch memory.

    `state` itself has two halves that are read and written in turns, for all units of a step need
    the old one.
    """

    def __init__(self, k: GroupKernel, group: Group, units: UnitLayout, dtype: str) -> None:
        anchor, self.op = group.head, group.head_op(Recurrent)
        self.k, self.units, self.dtype = k, units, dtype
        batch, self.steps = anchor.operands[0].shape[:2]
        kept = KEPT[: 2 if isinstance(self.op, LSTM) else 1]
        given = [*anchor.inputs, *[None] * 5][4:]
        self.initial: dict[str, Value | None] = dict(zip(kept, given, strict=False))
        self.mask: Value | None = given[len(kept)]
        self.scale = scale_of(anchor)
        results: list[list[Value]] = [[] for _ in range(len(kept) + 4)]
        for item in k.lowering.graph.consumers[anchor]:
            if isinstance(item.op, Item):
                results[item.op.index].append(item)
        # of each step its output, and what an LSTM keeps of it
        self.sequence, *self.last = results[: len(kept) + 1]
        self.kept_gates, self.kept_cells, self.kept_states = results[len(kept) + 1 :]
        names = [*kept, *(["output"] if self._puts_out_other_than_state() else [])]
        stages = phases(self.op, self.scale is not None)
        if len(stages) > 1:
            names += NOTES[type(self.op)]
        if self.scale is not None:
            names += map(scaled, range(self.op.gates))
        self.pointers: dict[str, Pointer] = {}
        for name in names:
            type_ = TensorType(dtype, (batch, self._width(name)))
            self.pointers[name] = working_memory(k, type_, name)

    def _puts_out_other_than_state(self) -> bool:
        """Whether what a masked step repeats is no state.

        Before its first step with a true mask a row puts out zeros, whatever its state began with.
        """
        hidden = self.mask is not None and not self.op.zero_output_for_mask
        return hidden and bool(self.sequence) and self.initial["state"] is not None

    @staticmethod
    def _has_halves(name: str) -> bool:
        return name == "state" or name.startswith("scaled")

    def place(self, name: str, row: Index, half: Index) -> Index:
        """Where a row of a state begins."""
        start: Index = row * self._width(name)
        return start + half if self._has_halves(name) else start

    def _width(self, name: str) -> int:
        return self.units.row * (2 if self._has_halves(name) else 1) + APART

    def other(self, half: Index) -> Index:
        """The half of `state` that is not `half`."""
        other: Index = self.k.subtract(self.units.row, half)
        return other

    def load(
        self, name: str, row: Index, half: Index, block: UnitBlock, vector: int = 0
    ) -> Register:
        """One vector of a state."""
        unit = block.first + vector * block.lanes
        return self.k.load(self.pointers[name], self.place(name, row, half) + unit, block.lanes)

    def store(
        self, name: str, row: Index, half: Index, block: UnitBlock, vector: int, value: Register
    ) -> None:
        """Write one vector of a state, and what products read of it."""
        k, unit = self.k, block.first + vector * block.lanes
        k.store(self.pointers[name], self.place(name, row, half) + unit, value)
        if name != "state" or self.scale is None:
            return
        for gate in range(self.op.gates):
            place = (row * self.op.gates + gate) * self.units.units + unit
            factor = k.load(k.read(self.scale), place, block.lanes, block.mask_of(vector))
            product = value * k.convert(factor, self.dtype)
            self.store(scaled(gate), row, half, block, vector, product)

    def begin(self, row: Index) -> None:
        """The initial states of a row, or zeros."""
        k = self.k
        for name in (name for name in KEPT if name in self.pointers):
            given = self.initial.get(name)

            def vector(block: UnitBlock, name: str = name, given: Value | None = given) -> None:
                if given is None:
                    value = k.number(0.0, Kind(self.dtype, block.lanes))
                else:
                    place = row * self.units.units + block.first
                    loaded = k.load(k.read(given), place, block.lanes, block.mask)
                    value = k.convert(loaded, self.dtype)
                self.store(name, row, 0, block, 0, value)

            over_units(k, self.units, 1, vector)

    def end(self, row: Index, half: Index) -> None:
        """The states of a row after its last step, to where they are wanted."""
        for name, values in zip(KEPT, self.last, strict=False):

            def vector(block: UnitBlock, name: str = name, values: list[Value] = values) -> None:
                state = self.load(name, row, half, block)
                for value in values:
                    place = row * self.units.units + block.first
                    result = self.k.convert(state, value.dtype)
                    self.k.store(self.k.write(value), place, result, block.mask)

            if values:
                over_units(self.k, self.units, 1, vector)

    def keep(self, row: Index, time: Index) -> Register | None:
        """Whether the mask lets a row take a step."""
        if self.mask is None:
            return None
        return self.k.load(self.k.read(self.mask), row * self.k.dim(self.steps) + time)

    def take(
        self,
        row: Index,
        step: Step,
        block: UnitBlock,
        vector: int,
        new: dict[str, Register],
        keep: Register | None,
    ) -> None:
        """Write what a phase has computed; states stay where `keep` is false."""
        half, after = step.half, self.other(step.half)
        for name, value in new.items():
            kept = value
            if keep is not None and name in KEPT:
                kept = self.k.select(keep, value, self.load(name, row, half, block, vector))
            self.store(name, row, after, block, vector, kept)
            if name == "cell":
                self._put(self.kept_cells, row, step, block, vector, kept)
        if "state" in new:
            self._keep_state(row, step, block, vector)
            self._put_out(row, step, block, vector, new["state"], keep)

    def _put_out(
        self,
        row: Index,
        step: Step,
        block: UnitBlock,
        vector: int,
        value: Register,
        keep: Register | None,
    ) -> None:
        if not self.sequence:
            return
        if keep is not None:
            value = self.k.select(keep, value, self._output_before(row, step.half, block, vector))
        if "output" in self.pointers:
            self.store("output", row, 0, block, vector, value)
        self._put(self.sequence, row, step, block, vector, value)

    def _output_before(self, row: Index, half: Index, block: UnitBlock, vector: int) -> Register:
        """What a row puts out in a step that the mask leaves out."""
        if self.op.zero_output_for_mask:
            return self.k.number(0.0, Kind(self.dtype, block.lanes))
        name = "output" if "output" in self.pointers else "state"
        return self.load(name, row, half, block, vector)

    def leave_out(self, row: Index, step: Step) -> None:
        """A step that the mask leaves out: only the sequence goes on."""

        def put(block: UnitBlock) -> None:
            if self.sequence:
                before = self._output_before(row, step.half, block, 0)
                self._put_out(row, step, block, 0, before, None)
            if self.kept_cells:
                cell = self.load("cell", row, 0, block)
                self._put(self.kept_cells, row, step, block, 0, cell)
            self._keep_state(row, step, block, 0)
            if self.kept_gates:
                nothing = self.k.number(0.0, Kind(self.dtype, block.lanes))
                gates = range(self.op.gates)
                self.keep_gates(row, step, block, 0, dict.fromkeys(gates, nothing), None)

        if self.puts_out_each_step:
            over_units(self.k, self.units, 1, put)

    @property
    def puts_out_each_step(self) -> bool:
        """Whether anything leaves in every step."""
        return any((self.sequence, self.kept_cells, self.kept_states, self.kept_gates))

    def keep_gates(
        self,
        row: Index,
        step: Step,
        block: UnitBlock,
        vector: int,
        gates: Mapping[int, Register],
        keep: Register | None,
    ) -> None:
        """Write some gates of one vector of units; zeros if left out."""
        k, units = self.k, self.units.units
        start = (row * k.dim(self.steps) + step.place) * (self.op.gates * units)
        for gate, value in gates.items():
            place = start + (gate * units) + block.first + vector * block.lanes
            kept = value if keep is None else k.select(keep, value, 0.0)
            for result in self.kept_gates:
                converted = k.convert(kept, result.dtype)
                k.store(k.write(result), place, converted, block.mask_of(vector))

    def _keep_state(self, row: Index, step: Step, block: UnitBlock, vector: int) -> None:
        if self.kept_states:
            before = self.load("state", row, step.half, block, vector)
            self._put(self.kept_states, row, step, block, vector, before)

    def _put(
        self,
        results: Sequence[Value],
        row: Index,
        step: Step,
        block: UnitBlock,
        vector: int,
        value: Register,
    ) -> None:
        """Write one vector of a row and step of results that have one for each unit."""
        k = self.k
        place = (row * k.dim(self.steps) + step.place) * self.units.units
        place = place + block.first + vector * block.lanes
        for result in results:
            converted = k.convert(value, result.dtype)
            k.store(k.write(result), place, converted, block.mask_of(vector))
