"""How the weights of recurrent ops lie in memory: all gates of a block of units side by side.

A matrix [K, gates * units] becomes one block for each `BLOCK` units, [K][gates][BLOCK], so that one
register tile holds every gate of its units, and reads its block in one contiguous stream. Units
that do not fill a block make a narrower one at the end, of as many as the next power of two. This
depends on no target: vectors of any width step through the units of a block, and where the last
block is narrower than a vector, the gates of a row share registers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import INDEX, Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering
from kerac.backends.llvm.packing import constant_array
from kerac.backends.llvm.plan import Buffer
from kerac.ir.graph import Value
from kerac.ir.types import TensorType, numpy_dtype

BLOCK = 16  # units that lie together, on every target: the most lanes that a vector has


@dataclass(frozen=True)
class UnitBlock:
    """Units from `first` on, in `vectors` vectors of `lanes`, the last one masked."""

    first: Index
    vectors: int
    lanes: int
    mask: Mask = None

    def mask_of(self, vector: int) -> Mask:
        """The mask of one vector."""
        return self.mask if vector == self.vectors - 1 else None


@dataclass(frozen=True)
class UnitLayout:
    """`units` in vectors of `lanes`; the rest in a vector that its block has room for."""

    units: int
    lanes: int

    @property
    def whole(self) -> int:
        """Units in whole blocks."""
        return self.units // BLOCK * BLOCK

    @property
    def last(self) -> int:
        """Units that the narrower block at the end has room for, or 0."""
        return power_of_two(self.units - self.whole) if self.units > self.whole else 0

    @property
    def full(self) -> int:
        """Number of full vectors."""
        return self.units // self.lanes

    @property
    def tail(self) -> UnitBlock | None:
        """The vector at the end that is not full."""
        rest = self.units % self.lanes
        if not rest:
            return None
        lanes = min(self.lanes, self.last)
        mask = None if lanes == rest else tuple(lane < rest for lane in range(lanes))
        return UnitBlock(self.full * self.lanes, 1, lanes, mask)

    @property
    def row(self) -> int:
        """Units rounded up to full vectors, so that rows of states begin aligned."""
        return -(-self.units // self.lanes) * self.lanes


@dataclass(frozen=True)
class GateLayout:
    """Rows that hold `gates` numbers for each unit, in the order of blocks, gates, units."""

    units: UnitLayout
    gates: int

    def _shares(self, block: UnitBlock) -> bool:
        """Whether the gates of a row share registers."""
        return self.gates > 1 and block.lanes < self.units.lanes

    def slots(self, block: UnitBlock) -> tuple[int, int]:
        """(number, lanes) of the registers that hold a row of one vector of units."""
        if not self._shares(block):
            return self.gates, block.lanes
        lanes = min(self.units.lanes, power_of_two(self.gates * block.lanes))
        return -(-self.gates * block.lanes // lanes), lanes

    @property
    def last(self) -> int:
        """Elements of a row of the narrower block at the end."""
        used = self.gates * self.units.last
        wide = min(BLOCK, power_of_two(used)) if used else 1
        return -(-used // wide) * wide

    @property
    def size(self) -> int:
        """Elements of a row."""
        return self.units.whole * self.gates + self.last

    def gate_place(
        self, block: UnitBlock, vector: int, gate: int, depth: int = 1, row: Index = 0
    ) -> Index:
        """Where a gate of a vector of units begins, in a row of blocks of `depth` rows."""
        first, inside, whole = block.first, vector * block.lanes, self.units.whole
        if isinstance(first, int) and first + inside >= whole:
            start = whole * self.gates * depth + row * self.last
            return start + (gate * self.units.last + first + inside - whole)
        if isinstance(first, int) or block.vectors * block.lanes % BLOCK:
            unit = first + inside
            start = unit // BLOCK * BLOCK
            rest = unit - start if block.lanes < BLOCK else 0
        else:  # the first unit begins a block
            start, rest = first + inside // BLOCK * BLOCK, inside % BLOCK
        return start * (self.gates * depth) + row * (self.gates * BLOCK) + gate * BLOCK + rest

    def place(self, block: UnitBlock, slot: int, depth: int = 1, row: Index = 0) -> Index:
        """Where register number `slot` begins, counted over all vectors of the block."""
        number, lanes = self.slots(block)
        if self._shares(block):
            return self.gate_place(block, 0, 0, depth, row) + slot * lanes
        return self.gate_place(block, slot // number, slot % number, depth, row)

    def pack(self, matrix: np.ndarray, gates: tuple[int, ...]) -> np.ndarray:
        """matrix: [K, all gates * units] -> the blocks of some gates, one after the other."""
        depth, whole, last = len(matrix), self.units.whole, self.units.last
        chosen = matrix.reshape(depth, -1, self.units.units)[:, gates]
        blocks = chosen[:, :, :whole].reshape(depth, self.gates, whole // BLOCK, BLOCK)
        parts = [blocks.transpose(2, 0, 1, 3).reshape(-1)]
        if last:
            inner = np.zeros((depth, self.gates, last), matrix.dtype)
            inner[:, :, : self.units.units - whole] = chosen[:, :, whole:]
            rows = np.zeros((depth, self.last), matrix.dtype)
            rows[:, : self.gates * last] = inner.reshape(depth, -1)
            parts.append(rows.reshape(-1))
        return np.ascontiguousarray(np.concatenate(parts))


@dataclass(frozen=True)
class PackedMatrix:
    """Packed weights [K, gates * units] in memory; a vector of biases is one with a single row."""

    pointer: Pointer
    depth: int
    layout: GateLayout

    def load(self, k: GroupKernel, block: UnitBlock, slot: int, row: Index) -> Register:
        """Register number `slot` of a row, counted over all vectors of the block."""
        place = self.layout.place(block, slot, self.depth, row)
        return k.load(self.pointer, place, self.layout.slots(block)[1])


def power_of_two(number: int) -> int:
    """The least power of two that is not smaller."""
    return 1 << (number - 1).bit_length()


def packed_buffer(
    lowering: Lowering,
    group: Group,
    matrix: Value,
    layout: GateLayout,
    dtype: str,
    gates: tuple[int, ...],
    row: int | None = None,
) -> Buffer:
    """Some gates of a matrix, or of one row; packed now if it is known, else at every run."""
    array = constant_array(matrix)
    if array is None:
        return _pack_at_run_time(lowering, group, matrix, layout, dtype, gates, row)
    key = ("gates", id(array), layout.gates, dtype, -1 if row is None else row, *gates)
    if key not in lowering.packed:
        rows = array.reshape(-1, array.shape[-1]).astype(numpy_dtype(dtype))
        lowering.packed[key] = layout.pack(rows if row is None else rows[row : row + 1], gates)
    return lowering.constant(lowering.packed[key], "weights")


def _pack_at_run_time(
    lowering: Lowering,
    group: Group,
    matrix: Value,
    layout: GateLayout,
    dtype: str,
    gates: tuple[int, ...],
    row: int | None,
) -> Buffer:
    units = layout.units
    columns = matrix.shape[-1]
    depth = 1 if row is not None or matrix.ndim == 1 else matrix.shape[0]
    target = lowering.scratch(TensorType(dtype, (depth * layout.size,)), "weights")
    k = lowering.kernel(group, "pack_weights")
    source, sink = k.read(matrix), k.write(target)

    def block_row(block: UnitBlock, r: Index) -> None:
        number, lanes = layout.slots(block)
        if block.lanes != units.lanes:
            for slot in range(number):
                zeros = k.number(0.0, Kind(dtype, lanes))
                k.store(sink, layout.place(block, slot, depth, r), zeros)
        for place, gate in enumerate(gates):
            origin = (r + (row or 0)) * columns + gate * units.units + block.first
            value = k.load(source, origin, block.lanes, block.mask)
            target_place = layout.gate_place(block, 0, place, depth, r)
            k.store(sink, target_place, k.convert(value, dtype))

    def rows(block: UnitBlock) -> None:
        k.loop("r", 0, depth, lambda r: block_row(block, r))

    over_units(k, units, 1, rows)
    lowering.launch(k)
    return target


def working_memory(k: GroupKernel, type_: TensorType, name: str) -> Pointer:
    """Scratch memory that a kernel both writes and reads."""
    buffer = k.lowering.scratch(type_, name)
    k.read(buffer)
    return k.write(buffer)


def over_units(
    k: GroupKernel,
    units: UnitLayout,
    span: int,
    body: Callable[[UnitBlock], None],
    backwards: Register | bool = False,
) -> None:
    """body(UnitBlock) for all units, `span` vectors at once; on demand from the last ones on."""
    inside = units.whole // units.lanes  # in whole blocks, where a register may say which
    wide, step = inside // span, span * units.lanes
    if isinstance(backwards, Register) and wide > 1:
        start: Any = k.select(backwards, (wide - 1) * step, 0, INDEX)
        sign: Any = k.select(backwards, -step, step, INDEX)
        k.loop("u", 0, wide, lambda u: body(UnitBlock(start + u * sign, span, units.lanes)))
    else:
        k.loop("u", 0, wide * step, lambda u: body(UnitBlock(u, span, units.lanes)), step=step)
    for first, stop in ((wide * span, inside), (inside, units.full)):
        for vector in range(first, stop, span):
            count = min(span, stop - vector)
            body(UnitBlock(vector * units.lanes, count, units.lanes))
    if units.tail:
        body(units.tail)
