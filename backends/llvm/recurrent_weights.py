"""How the weights of recurrent ops lie in memory: all gates of a vector of units side by side.

A matrix [K, gates * units] becomes one block for each vector of units, [K][gates][lanes], so that
one register tile holds every gate of its units, and reads its block in one contiguous stream. Units
that do not fill a vector make a narrower last block; there the gates of a row share registers.
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
    """`units` in vectors of `lanes`; the rest in the narrowest vector that holds it."""

    units: int
    lanes: int

    @property
    def full(self) -> int:
        """Number of full vectors."""
        return self.units // self.lanes

    @property
    def rest(self) -> int:
        """Units after the full vectors."""
        return self.units % self.lanes

    @property
    def tail(self) -> UnitBlock | None:
        """The narrower block at the end."""
        if not self.rest:
            return None
        lanes = power_of_two(self.rest)
        mask = None if lanes == self.rest else tuple(lane < self.rest for lane in range(lanes))
        return UnitBlock(self.full * self.lanes, 1, lanes, mask)

    @property
    def row(self) -> int:
        """Units rounded up to full vectors, so that rows of states begin aligned."""
        return -(-self.units // self.lanes) * self.lanes


@dataclass(frozen=True)
class GateLayout:
    """Rows that hold `gates` numbers for each unit, in the order of blocks, gates, lanes."""

    units: UnitLayout
    gates: int

    def slots(self, block: UnitBlock) -> tuple[int, int]:
        """(number, lanes) of the registers that hold a row of one vector of units."""
        if self.gates == 1 or block.lanes == self.units.lanes:
            return self.gates, block.lanes
        lanes = min(self.units.lanes, power_of_two(self.gates * block.lanes))
        return -(-self.gates * block.lanes // lanes), lanes

    def width(self, block: UnitBlock) -> int:
        """Elements of a row of one vector of units."""
        number, lanes = self.slots(block)
        return number * lanes

    @property
    def size(self) -> int:
        """Elements of a row."""
        tail = self.units.tail
        return self.units.full * self.units.lanes * self.gates + (self.width(tail) if tail else 0)

    def offset(self, block: UnitBlock, vector: int, rows: int = 1) -> Index:
        """Where a vector of units begins, after blocks of `rows` rows."""
        # only full vectors come before it
        return (block.first + vector * block.lanes) * (self.gates * rows)

    def pack(self, matrix: np.ndarray, gates: tuple[int, ...]) -> np.ndarray:
        """matrix: [K, all gates * units] -> the blocks of some gates, one after the other."""
        depth, units = len(matrix), self.units
        chosen = matrix.reshape(depth, -1, units.units)[:, gates]
        end = units.full * units.lanes
        blocks = chosen[:, :, :end].reshape(depth, self.gates, units.full, units.lanes)
        parts = [blocks.transpose(2, 0, 1, 3).reshape(-1)]
        if units.tail:
            tail = np.zeros((depth, self.width(units.tail)), matrix.dtype)
            inner = tail[:, : self.gates * units.tail.lanes].reshape(depth, self.gates, -1)
            inner[:, :, : units.rest] = chosen[:, :, end:]
            tail[:, : self.gates * units.tail.lanes] = inner.reshape(depth, -1)
            parts.append(tail.reshape(-1))
        return np.ascontiguousarray(np.concatenate(parts))


@dataclass(frozen=True)
class PackedMatrix:
    """Packed weights [K, gates * units] in memory; a vector of biases is one with a single row."""

    pointer: Pointer
    depth: int
    layout: GateLayout

    def load(self, k: GroupKernel, block: UnitBlock, slot: int, row: Index) -> Register:
        """Register number `slot` of a row, counted over all vectors of the block."""
        number, lanes = self.layout.slots(block)
        place = self.layout.offset(block, slot // number, self.depth)
        place = place + row * self.layout.width(block) + slot % number * lanes
        return k.load(self.pointer, place, lanes)


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
    key = (id(array), layout.units.lanes, layout.gates, -1 if row is None else row, *gates)
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
        start = layout.offset(block, 0, depth) + r * layout.width(block)
        number, lanes = layout.slots(block)
        if block.lanes != units.lanes:
            for slot in range(number):
                k.store(sink, start + slot * lanes, k.number(0.0, Kind(dtype, lanes)))
        for place, gate in enumerate(gates):
            origin = (r + (row or 0)) * columns + gate * units.units + block.first
            value = k.load(source, origin, block.lanes, block.mask)
            k.store(sink, start + place * block.lanes, k.convert(value, dtype))

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
    wide, step = units.full // span, span * units.lanes
    if isinstance(backwards, Register) and wide > 1:
        start: Any = k.select(backwards, (wide - 1) * step, 0, INDEX)
        sign: Any = k.select(backwards, -step, step, INDEX)
        k.loop("u", 0, wide, lambda u: body(UnitBlock(start + u * sign, span, units.lanes)))
    else:
        k.loop("u", 0, wide * step, lambda u: body(UnitBlock(u, span, units.lanes)), step=step)
    if units.full > wide * span:
        body(UnitBlock(wide * step, units.full - wide * span, units.lanes))
    if units.tail:
        body(units.tail)
