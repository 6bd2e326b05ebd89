"""Register tiles: how many rows and vectors of a product are summed in registers at once.

A tile of R rows and V vectors needs R * V accumulators, V vectors of weights and one broadcast
element. Each step of the sum loads R + V vectors and does R * V multiply-adds, of which the machine
starts two in a cycle. Shapes and target choose R and V.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from kerac.backends.llvm.target import Target

BLOCK = 32  # columns of packed weights that lie together, on every target
LATENCY = 4  # cycles until a multiply-add's result can be used
TASKS = 16  # that spread well over a few threads
WAYS = 8  # rows a multiple of a cache way's size apart that still fit the first-level cache
LIKELY = 12  # tiles that are tried where the best one is searched for
HEIGHTS = 3  # of them of the same width


@dataclass(frozen=True)
class Tile:
    """`rows` times `vectors` accumulators."""

    rows: int
    vectors: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.vectors}"

    def cycles(self) -> float:
        """Estimated cycles of one step of the sum."""
        work = self.rows * self.vectors
        return max(work / 2, (self.rows + self.vectors) / 2, LATENCY) + 0.25


def collide(row_bytes: int) -> bool:
    """Whether rows so far apart lie in the same places of the first-level cache."""
    return row_bytes % 4096 == 0


def meets_blocks(vectors: int, target: Target) -> bool:
    """Whether tiles of so many vectors divide blocks of packed weights, or consist of them."""
    columns = vectors * target.lanes()
    return columns % BLOCK == 0 or BLOCK % columns == 0


def fits(rows: int, vectors: int, target: Target) -> bool:
    """Whether a tile stays in registers."""
    return rows * vectors + vectors + 1 <= target.vector_registers


def choose_tile(target: Target, rows: int, vectors: int, row_bytes: int) -> Tile:
    """The tile with the least estimated time for `rows` x `vectors`, rows `row_bytes` apart."""
    return _tiles(target, rows, vectors, row_bytes)[0]


@cache
def likely_tiles(target: Target, rows: int, vectors: int, row_bytes: int) -> Mapping[str, Tile]:
    """By name the tiles that may be the best ones, those that `choose_tile` prefers first."""
    widths: Counter[int] = Counter()
    found: dict[str, Tile] = {}
    for tile in _tiles(target, rows, vectors, row_bytes):
        widths[tile.vectors] += 1
        if widths[tile.vectors] <= HEIGHTS and len(found) < LIKELY:
            found[str(tile)] = tile
    return found


@cache
def _tiles(target: Target, rows: int, vectors: int, row_bytes: int) -> Sequence[Tile]:
    """All tiles that fit, the one with the least estimated time first."""
    most = WAYS if collide(row_bytes) else target.vector_registers
    candidates = [
        Tile(r, v)
        for r in range(1, min(rows, most, target.vector_registers) + 1)
        for v in range(1, min(vectors, target.vector_registers // 2) + 1)
        if fits(r, v, target) and (v == vectors or meets_blocks(v, target))
    ]
    # few vectors a tile keep the block of weights in the first-level cache
    return sorted(
        candidates, key=lambda tile: (_total(tile, rows, vectors), tile.vectors, -tile.rows)
    )


def _total(tile: Tile, rows: int, vectors: int) -> float:
    total = 0.0
    for height, many in ((tile.rows, rows // tile.rows), (rows % tile.rows, 1)):
        for width, times in ((tile.vectors, vectors // tile.vectors), (vectors % tile.vectors, 1)):
            if height and width:
                total += Tile(height, width).cycles() * many * times
    return total


def product_cycles(target: Target, rows: int, vectors: int, row_bytes: int) -> float:
    """Estimated cycles of one step of the sums of `rows` x `vectors`, in the tiles chosen."""
    return _total(choose_tile(target, rows, vectors, row_bytes), rows, vectors)


def choose_span(target: Target, tile: Tile, rows: int) -> int:
    """How many tiles side by side a few rows take, so that no sum waits for the one before it."""
    # a load for each multiply-add, so that one unit is busy; more tiles would leave threads idle
    span = max(1, LATENCY // (rows * tile.vectors))
    while span > 1 and not (
        fits(rows, span * tile.vectors, target) and meets_blocks(span * tile.vectors, target)
    ):
        span -= 1
    return span


def small_rows(target: Target, tile: Tile) -> list[Tile]:
    """Tiles for the rows that `tile` leaves, down to single ones; fewer rows, more vectors."""
    return [
        Tile(rows, choose_span(target, tile, rows) * tile.vectors)
        for rows in (4, 1)
        if rows < tile.rows
    ]


def near_rows(target: Target, tile: Tile, rows: int, depth: int, blocks: int) -> int:
    """How many of `rows` meet all `blocks` of columns before the next ones.

    Rows that stay in half of the second-level cache are read from afar once, but then the weights
    are read for each stretch of them; so all rows, where that is less.
    """
    row_bytes = 4 * max(1, depth)
    half = target.second_level_cache // 2
    near = max(1, half // row_bytes // tile.rows) * tile.rows
    if near >= rows:
        return rows
    weights = blocks * tile.vectors * target.vector_bytes * depth
    stretches = -(-rows // near)
    far_weights = weights * (stretches if weights > half else 1)
    return near if far_weights + rows * row_bytes < weights + rows * row_bytes * blocks else rows
