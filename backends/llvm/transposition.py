"""Transposing in registers: tiles of T x T elements, and few interleaved arrays."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.backends.llvm.kernel import KernelBuilder, Register
from kerac.backends.llvm.kernel.llvm_types import BYTES
from kerac.backends.llvm.target import Target

LARGEST_TILE = 16  # vectors that are in registers at the same time


def tile_size(target: Target, dtype: str) -> int:
    """Rows and columns of a tile: the lanes of a vector, as far as registers reach."""
    return min(target.lanes(BYTES[dtype]), target.vector_registers // 2, LARGEST_TILE)


def transpose_tile(k: KernelBuilder, rows: Sequence[Register]) -> list[Register]:
    """Lane j of result i is lane i of row j; as many lanes as rows, a power of two.

    Each stage swaps the blocks off the diagonal: of 1 x 1 elements first, of half the tile last.
    """
    tile, size = list(rows), len(rows)
    block = 1
    while block < size:
        upper = [lane if not lane & block else size + lane - block for lane in range(size)]
        lower = [lane + block if not lane & block else size + lane for lane in range(size)]
        for i in range(size):
            if not i & block:
                x, y = tile[i], tile[i + block]
                tile[i], tile[i + block] = k.shuffle(x, y, upper), k.shuffle(x, y, lower)
        block *= 2
    return tile


def pick(k: KernelBuilder, sources: Sequence[Register], lanes: Sequence[int]) -> Register:
    """A vector of any lanes, which are counted through all sources one after the other."""
    width = sources[0].kind.lanes
    used = sorted({lane // width for lane in lanes})
    first, *others = used
    result = sources[first]
    have = {lane: lane % width for lane in lanes if lane // width == first}
    if not others:
        return k.shuffle(result, None, [have[lane] for lane in lanes])
    for source in others:
        picks, found = [], {}
        for place, lane in enumerate(lanes):
            if lane in have:
                picks.append(have[lane])
            elif lane // width == source:
                picks.append(width + lane % width)
            else:
                picks.append(-1)
            if picks[-1] >= 0:
                found[lane] = place
        result, have = k.shuffle(result, sources[source], picks), found
        width = sources[0].kind.lanes
    return result
